#!/usr/bin/env python3
"""`make bench`: runs our own bench, then the shared one (../shared/bench, where it is at hand) for us and for
Kamailio with rtpengine in the same run, and writes both into target/bench/figures.json.

BENCH_PEERS=0 leaves the peers out; BENCH_QUICK=1 makes everything small (to try the bench, not to measure)."""
import json, os, statistics, subprocess, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
SHARED = os.environ.get("BENCH_SHARED", os.path.join(ROOT, "..", "shared", "bench"))
TARGET = os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target"))
OUT = os.path.join(TARGET, "bench", "figures.json")
OFFHOOK = os.path.join(TARGET, "release", "offhook")
# Fixed, so that a ratio of today's is one of tomorrow's.
MOTO = "moto[stepfunctions,dynamodb,server]==5.2.5"
QUICK = os.environ.get("BENCH_QUICK") == "1"

# figure, test, key of the record, which record, unit, goal as a ratio to the peer
COMPARED = [
    ("CPU per REGISTER with digest, at 100/s (shared bench)", "reg_fixed", "cpu_ms_per_unit", {}, "ms", 1.0),
    ("CPU per call set up and torn down, at 25/s (shared bench)", "calls_fixed", "cpu_ms_per_unit", {"rate": 25}, "ms", 1.0),
    ("CPU per relayed call-minute, 100 calls (shared bench)", "relay", "cpu_s_per_call_min", {"calls": 100}, "s", 0.6),
    ("CPU per relayed call-minute, 200 calls (shared bench)", "relay", "cpu_s_per_call_min", {"calls": 200}, "s", 0.6),
    ("added latency p50, 200 calls (shared bench)", "relay", "lat_us_p50", {"calls": 200}, "us", None),
    ("added latency p99, 200 calls (shared bench)", "relay", "lat_us_p99", {"calls": 200}, "us", None),
]
PEER = "kamailio-rtpengine"


def moto():
    """A Python with moto, from PyPI, in a folder of its own; None where it cannot be had."""
    folder = os.path.join(TARGET, "python-bench-moto-" + MOTO.split("==")[1])
    python, ready = os.path.join(folder, "bin", "python"), os.path.join(folder, "ready")
    if not os.path.exists(ready):
        try:
            subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
            subprocess.run([python, "-m", "pip", "install", "-q", MOTO], check=True)
            open(ready, "w").close()
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"moto is not there, so nothing is measured beside it: {error}")
            return None
    return python


def own():
    python = moto()
    args = ["cargo", "run", "--release", "--locked", "--quiet", "-p", "offhook-bench", "--",
            "--offhook", OFFHOOK, "--out", OUT] + (["--quick"] if QUICK else [])
    args += ["--moto", python] if python else []
    subprocess.run(args, cwd=ROOT, check=True, env=dict(os.environ, BENCH_SHARED=SHARED))


def records(peers_home, peer, outdir):
    """Runs the shared bench for one peer and gives back its records."""
    # Each step waits for a quiet machine itself; what it notes as disturbed stays in its own log.
    subprocess.run([sys.executable, os.path.join(SHARED, "bench.py"), "--peer", peer, "--tests", "reg,calls,relay",
                    "--sizes", "100,200", "--hold", "10", "--reg-top", "200", "--call-top", "40", "--quiet-wait", "30",
                    "--outdir", outdir], check=True, env=dict(os.environ, PEERS=peers_home, OFFHOOK=OFFHOOK),
                   stdout=subprocess.DEVNULL)
    name = os.path.basename(os.path.normpath(peer))
    return [json.loads(line) for line in open(os.path.join(outdir, name + ".jsonl"))]


def pick(rows, test, key, where):
    values = [r[key] for r in rows if r["test"] == test and key in r and all(r.get(k) == v for k, v in where.items())]
    return statistics.median(values) if values else None


def peers():
    home = os.environ.setdefault("PEERS", os.path.expanduser("~/peers"))
    subprocess.run(["bash", os.path.join(SHARED, "setup-peers.sh")], check=True, stdout=subprocess.DEVNULL)
    with tempfile.TemporaryDirectory() as out:
        theirs = records(home, PEER, out)
        ours = records(home, os.path.join(HERE, "offhook"), out)
    figures = json.load(open(OUT))
    print(f"\nbeside {PEER}, same load, same run ({SHARED}/bench.py)")
    for name, test, key, where, unit, goal in COMPARED:
        mine, other = pick(ours, test, key, where), pick(theirs, test, key, where)
        if mine is None or other is None:
            print(f"{name}: not measured")
            continue
        ratio = mine / other if other else None
        met = None if goal is None or ratio is None else ratio <= goal
        figures.append({"name": name, "value": mine, "unit": unit, "baseline": {"name": PEER, "value": other},
                        "ratio": ratio, "goal": goal, "met": met})
        verdict = "" if met is None else f"  goal {goal} {'met' if met else 'MISSED'}"
        print(f"{name}: {mine:.4g} {unit}, {ratio:.2f} x {PEER} ({other:.4g}){verdict}")
    json.dump(figures, open(OUT, "w"), indent=2)
    print(f"written to {OUT}")


own()
if os.environ.get("BENCH_PEERS") != "0" and not QUICK:
    if os.path.exists(os.path.join(SHARED, "bench.py")):
        peers()
    else:
        print("the shared bench is not at hand (BENCH_SHARED): no figures beside peers")
