//! What is bounded, and where the bound comes from.

/// Bytes of a state's input or output, and of one `Assign` (Step Functions quotas: 256 KiB).
pub const PAYLOAD_BYTES: usize = 262_144;
/// How deep a payload's arrays and objects may stand in one another. Ours: `serde_json` reads 128
/// levels, and a snapshot has the payload within levels of its own.
pub const PAYLOAD_DEPTH: usize = 90;
/// Bytes of an execution's variables together (Step Functions quotas: 10 MiB).
pub const VARIABLES_BYTES: usize = 10 * 1024 * 1024;
/// Events of one execution's history; the one that ends the execution is the last.
pub const HISTORY_EVENTS: u64 = 25_000;
/// Bytes of a definition (Step Functions quotas: 1 MiB).
pub const DEFINITION_BYTES: usize = 1024 * 1024;
/// Characters of a state's name (States Language specification).
pub const STATE_NAME_CHARS: usize = 80;
/// Characters of a variable's name (developer guide, "Passing data between states with variables").
pub const VARIABLE_NAME_CHARS: usize = 80;
/// How deep branches and item processors may stand in one another. Ours; AWS names none.
pub const NESTING: usize = 24;
/// States of one definition, nested ones included. Ours: a definition's size bounds it on AWS.
pub const STATES: usize = 10_000;
/// Seconds of a timeout, a heartbeat or a wait (States Language specification).
pub const SECONDS: u64 = 99_999_999;
/// `MaxAttempts` of a retrier.
pub const RETRY_ATTEMPTS: u64 = 99_999_999;
/// `MaxDelaySeconds` of a retrier (States Language specification: less than 31,622,400).
pub const RETRY_DELAY_SECONDS: u64 = 31_622_399;
/// Iterations of an inline Map at a time, whatever `MaxConcurrency` says (developer guide, "Map").
pub const INLINE_CONCURRENCY: usize = 40;
/// Child executions of a distributed Map at a time. AWS allows 10,000; they share one thread here.
pub const DISTRIBUTED_CONCURRENCY: usize = 1_000;
/// Items an `ItemReader` may give (AWS: 100,000,000). Ours: they are held in memory.
pub const READER_ITEMS: usize = 100_000;
/// Bytes of the files together that an `ItemReader` lists and loads, with the source of each item in
/// them. Ours: as many as one file may have that it reads.
pub const READER_BYTES: usize = 64 * 1024 * 1024;
/// Strands (branches and iterations) of one execution at a time. Ours.
pub const STRANDS: usize = 20_000;
/// Bytes of the inputs or of the results that one Parallel or Map holds for its branches, looked at
/// as they come and not when all are there. Ours.
pub const HELD_BYTES: usize = 64 * 1024 * 1024;
/// Bytes of outputs after which a turn ends before it has run [`STATES_PER_TURN`]. Ours.
pub const BYTES_PER_TURN: usize = 2 * 1024 * 1024;
/// States run in one turn before control is given back, so that a loop cannot hold a thread.
pub const STATES_PER_TURN: usize = 500;
/// Characters of an error name and of a cause (`StopExecution`, `SendTaskFailure`).
pub const ERROR_CHARS: usize = 256;
/// Characters of a cause.
pub const CAUSE_CHARS: usize = 32_768;

/// Bytes of stack for a thread that reads definitions or runs executions: what is nested most is read
/// and evaluated within a quarter of them, by a build that is optimised
/// (`a_quarter_of_a_threads_stack_is_enough_for_the_deepest_evaluation`).
pub const STACK: usize = 4 * 1024 * 1024;
