//! The queue of writes and its transactions.

use super::*;

#[test]
fn a_full_queue_refuses_at_once_and_the_rest_is_written() {
    let (_folder, path) = folder();
    // The writer waits for this other process's transaction.
    drop(opened(&path));
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let store = Store::open(&path, &Options { queue: 2, ..quiet() }).unwrap();
    let kept: Vec<_> = (0..20).map(|i| store.put_call(call(&i.to_string(), later(0)))).collect();
    other.execute_batch("COMMIT").unwrap();
    let answers: Vec<_> = kept.into_iter().map(wait).collect();
    let written = answers.iter().filter(|answer| answer.is_ok()).count();
    assert!((2..20).contains(&written), "{written}");
    assert!(
        answers.iter().flat_map(|a| a.as_ref().err()).all(|e| matches!(e, KeepError::Overloaded))
    );
    assert_eq!(wait(store.list_calls(100)).unwrap().len(), written);
}

#[test]
fn one_refused_write_does_not_spoil_the_others_of_its_transaction() {
    let (_folder, path) = folder();
    let store = Store::open(&path, &Options { linger: Duration::from_millis(20), ..quiet() });
    let store = store.unwrap();
    let before = store.put_call(call("before", later(0)));
    let failing = store.write(Urgency::Company, |connection| -> Result<(), lane::Refused> {
        lane::all_or_none(connection, || {
            connection.execute("DELETE FROM calls", [])?;
            connection.execute("INSERT INTO no_such_table VALUES (1)", [])?;
            Ok(())
        })
    });
    let after = store.put_call(call("after", later(0)));
    wait(before).unwrap();
    let error = wait(failing).unwrap_err();
    assert!(error.to_string().contains("no_such_table"), "{error}");
    wait(after).unwrap();
    assert_eq!(wait(store.list_calls(9)).unwrap().len(), 2);
}

#[test]
fn a_rolled_back_transaction_answers_nobody_with_ok() {
    let (_folder, path) = folder();
    let store = Store::open(&path, &Options { linger: Duration::from_millis(20), ..quiet() });
    let store = store.unwrap();
    let before = store.put_call(call("before", later(0)));
    // What a full disk does to a transaction.
    let full =
        store.write(Urgency::Company, |connection| Ok(connection.execute_batch("ROLLBACK")?));
    let after = store.put_call(call("after", later(0)));
    for answer in [before, full, after] {
        assert!(wait(answer).is_err());
    }
    assert_eq!(wait(store.list_calls(9)).unwrap(), []);
    wait(store.put_call(call("next", later(0)))).unwrap();
    assert_eq!(wait(store.list_calls(9)).unwrap().len(), 1);
}

#[test]
fn a_write_is_done_though_nobody_waits_for_it() {
    let (_folder, path) = folder();
    let store = opened(&path);
    drop(store.put_call(call("c", later(0))));
    drop(store);
    assert_eq!(wait(opened(&path).list_calls(9)).unwrap().len(), 1);
}

#[test]
fn two_processes_may_have_it_open() {
    let (_folder, path) = folder();
    let (daemon, command) = (opened(&path), opened(&path));
    wait(command.put_call(call("a", later(0)))).unwrap();
    wait(daemon.put_call(call("b", later(1)))).unwrap();
    for store in [daemon, command] {
        assert_eq!(wait(store.list_calls(9)).unwrap().len(), 2);
    }
}

#[test]
fn a_probe_tells_whether_anything_can_be_written() {
    let (_folder, path) = folder();
    let store = Store::open(&path, &Options { busy: Duration::ZERO, ..quiet() }).unwrap();
    wait(store.probe()).unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert!(wait(store.probe()).is_err());
    other.execute_batch("ROLLBACK").unwrap();
    wait(store.probe()).unwrap();
    drop(store);
    assert_eq!(wait(opened(&path).load_extensions()).unwrap(), [], "the format is as it was");
}

#[test]
fn the_writer_makes_way_for_threads_on_which_somebody_waits() {
    let (_folder, path) = folder();
    let store = Store::open(&path, &quiet()).unwrap();
    let ask = |_: &Connection| Ok(rustix::process::getpriority_process(None).unwrap());
    let (writer, reader) =
        (wait(store.write(Urgency::Company, ask)).unwrap(), wait(store.read(ask)).unwrap());
    // A test that runs with less already stays where it is.
    assert!(writer >= 5.max(reader), "{writer} {reader}");
}

#[test]
fn what_a_caller_waits_for_is_not_kept_waiting_by_a_write_that_waits_for_company() {
    let (_folder, path) = folder();
    let hour = Duration::from_secs(3_600);
    let store = Store::open(&path, &Options { linger: hour, ..quiet() }).unwrap();
    let patient = store.put_call(call("patient", later(0)));
    // The writer lies down with the first, and has it when the urgent one comes.
    let urgent = store.write(Urgency::Now, |_| Ok(()));
    for kept in [urgent, patient] {
        let (told, heard) = std::sync::mpsc::channel();
        std::thread::spawn(move || told.send(wait(kept)));
        heard.recv_timeout(Duration::from_secs(30)).expect("both are committed").unwrap();
    }
}
