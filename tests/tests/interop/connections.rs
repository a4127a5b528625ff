//! A workflow asks a web server of the office's with the keys of a connection.

use offhook_tests::baresip::{Baresip, Setup};
use offhook_tests::net::{Net, eventually};
use offhook_tests::web::{Says, Web};
use serde_json::json;

use crate::office;

#[test]
fn a_workflow_asks_a_web_server_with_a_token_of_its_connection() {
    let web = Web::start(|asked| match asked.path.as_str() {
        // "office" and "s3cret", RFC 7617.
        "/token" if asked.header("authorization") == Some("Basic b2ZmaWNlOnMzY3JldA==") => {
            Says::json(200, &json!({"access_token": "t0ken", "expires_in": 3600}))
        }
        "/v1/customers" if asked.header("authorization") == Some("Bearer t0ken") => {
            Says::json(200, &json!({"tenant": asked.header("x-tenant"), "query": asked.query}))
        }
        _ => Says::json(403, &json!({})),
    });
    let url = web.url();
    let config = format!(
        "[[number]]\nmatch = \"800\"\nto = \"flow:ask\"\n\
         [[connection]]\nname = \"crm\"\nauthorization = \"oauth\"\n\
         authorization_endpoint = \"{url}/token\"\nclient_id = \"office\"\n\
         client_secret = \"s3cret\"\naddresses = [\"{url}/v1/\"]\n\
         headers = {{ X-Tenant = \"7\" }}\n"
    );
    let appliance = office(Net::new(), &config, &["101"]);
    let ask = |path: &str, next: &str| {
        json!({
            "Type": "Task", "Resource": "arn:aws:states:::http:invoke",
            "Arguments": {
                "ApiEndpoint": format!("{url}{path}"), "Method": "GET",
                "Authentication": {
                    "ConnectionArn": "arn:aws:events:us-east-1:000000000000:connection/crm/5ce0"
                },
                "QueryParameters": {"phone": "{% $states.input.Event.CallDetails.Participants[0].From %}"}
            },
            "Assign": {"Answer": "{% $states.result.ResponseBody %}"},
            "Output": "{% $states.input %}",
            "Next": next
        })
    };
    let definition = json!({
        "QueryLanguage": "JSONata", "StartAt": "Ask",
        "States": {
            "Ask": ask("/v1/customers", "Ask elsewhere"),
            "Ask elsewhere": ask("/v2/customers", "Done"),
            "Done": {"Type": "Succeed"}
        }
    });
    let file = appliance.folder().join("ask.asl.json");
    std::fs::write(&file, definition.to_string()).expect("a file");
    appliance.cli(&["flow", "publish", "--name", "ask", file.to_str().expect("a path")]);
    let mut phone = Baresip::registered(&Setup::of(&appliance, 3, "101"));
    phone.dial("800");
    let shown = eventually("the workflow has asked", || {
        // Before its first event there is none to be shown.
        let shown = appliance.try_cli(&["flow", "show", "--json"], "").stdout;
        let shown: serde_json::Value = serde_json::from_slice(&shown).ok()?;
        (shown["execution"]["status"] != "RUNNING").then_some(shown)
    });
    let history = shown["history"].to_string().replace('\\', "");
    assert!(history.contains("\"query\":\"phone=101\"") && history.contains("\"tenant\":\"7\""));
    // Where the connection may not be used nothing is sent.
    assert_eq!(shown["execution"]["error"], "States.Runtime", "{shown}");
    let cause = shown["execution"]["cause"].as_str().unwrap_or_default();
    assert!(cause.contains("the connection is not for"), "{cause}");
    assert!(!appliance.log().contains("s3cret") && !appliance.log().contains("t0ken"));
}
