"""States per second of moto's `stepfunctions` interpreter: prints {document: {"states", "cpu"} or {"why"}} as JSON.

moto_states.py DOCUMENTS SECONDS; DOCUMENTS is a file with {name: {"definition", "input"}}."""
import json, os, sys, time, uuid

os.environ.update(AWS_ACCESS_KEY_ID="none", AWS_SECRET_ACCESS_KEY="none", AWS_DEFAULT_REGION="us-east-1")
import boto3
from moto import mock_aws

ROLE = "arn:aws:iam::123456789012:role/none"


def run(client, machine, given):
    """One execution to its end; gives its ARN."""
    started = client.start_execution(stateMachineArn=machine, name=uuid.uuid4().hex, input=given)
    arn = started["executionArn"]
    while client.describe_execution(executionArn=arn)["status"] == "RUNNING":
        time.sleep(0.005)
    return arn


def measure(client, document, seconds):
    definition, given = json.dumps(document["definition"]), json.dumps(document["input"])
    made = client.create_state_machine(name=uuid.uuid4().hex, definition=definition, roleArn=ROLE)
    machine = made["stateMachineArn"]
    arn = run(client, machine, given)
    pages = client.get_paginator("get_execution_history").paginate(executionArn=arn)
    types = [event["type"] for page in pages for event in page["events"]]
    if types[-1] != "ExecutionSucceeded":
        return {"why": f"moto ends with {types[-1]}"}
    states = sum(kind.endswith("StateEntered") for kind in types)
    total, begin, cpu = 0, time.monotonic(), time.process_time()
    while time.monotonic() - begin < seconds:
        run(client, machine, given)
        total += states
    return {"states": total, "cpu": time.process_time() - cpu}


def main():
    documents, seconds = json.load(open(sys.argv[1])), float(sys.argv[2])
    with mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
        client = boto3.client("stepfunctions")
        figures = {}
        for name, document in documents.items():
            try:
                figures[name] = measure(client, document, seconds)
            except Exception as error:
                figures[name] = {"why": f"{type(error).__name__}: {error}"}
        json.dump(figures, sys.stdout)
    sys.stdout.flush()
    # Threads of its executions do not keep it.
    os._exit(0)


main()
