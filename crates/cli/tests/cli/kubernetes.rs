//! `examples/kubernetes`: the fields that the files use are those of the API, as far as that can
//! be told without a cluster, and the containers' arguments do what the page says, as processes.

use std::path::Path;
use std::process::{Child, Stdio};

use airlift_tests::image;
use airlift_tests::{FaultPlan, TestRegistry};
use serde_yaml::Value;

use crate::harness::Place;

/// The fields of `batch/v1` Job and `v1` ConfigMap that the files may use; `[]` is any element of
/// a list, `*` any key of a map. Of the API's reference, version 1.31.
const FIELDS: &str = "
    apiVersion kind metadata metadata.name data data.*
    spec spec.completionMode spec.completions spec.parallelism spec.backoffLimit
    spec.backoffLimitPerIndex spec.maxFailedIndexes spec.podFailurePolicy
    spec.podFailurePolicy.rules spec.podFailurePolicy.rules[].action
    spec.podFailurePolicy.rules[].onExitCodes
    spec.podFailurePolicy.rules[].onExitCodes.containerName
    spec.podFailurePolicy.rules[].onExitCodes.operator
    spec.podFailurePolicy.rules[].onExitCodes.values
    spec.podFailurePolicy.rules[].onPodConditions
    spec.podFailurePolicy.rules[].onPodConditions[].type
    spec.podFailurePolicy.rules[].onPodConditions[].status
    spec.template spec.template.metadata spec.template.metadata.labels
    spec.template.metadata.labels.* spec.template.spec spec.template.spec.restartPolicy
    spec.template.spec.containers spec.template.spec.containers[].name
    spec.template.spec.containers[].image spec.template.spec.containers[].args
    spec.template.spec.containers[].env spec.template.spec.containers[].env[].name
    spec.template.spec.containers[].env[].value spec.template.spec.containers[].env[].valueFrom
    spec.template.spec.containers[].env[].valueFrom.fieldRef
    spec.template.spec.containers[].env[].valueFrom.fieldRef.fieldPath
    spec.template.spec.containers[].resources spec.template.spec.containers[].resources.requests
    spec.template.spec.containers[].resources.requests.cpu
    spec.template.spec.containers[].resources.requests.memory
    spec.template.spec.containers[].resources.limits
    spec.template.spec.containers[].resources.limits.memory
    spec.template.spec.containers[].volumeMounts
    spec.template.spec.containers[].volumeMounts[].name
    spec.template.spec.containers[].volumeMounts[].mountPath
    spec.template.spec.containers[].volumeMounts[].readOnly
    spec.template.spec.volumes spec.template.spec.volumes[].name
    spec.template.spec.volumes[].configMap spec.template.spec.volumes[].configMap.name
    spec.template.spec.volumes[].secret spec.template.spec.volumes[].secret.secretName
    spec.template.spec.volumes[].secret.optional
";

fn file(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/kubernetes").join(name);
    serde_yaml::from_str(&std::fs::read_to_string(path).expect(name)).expect(name)
}

/// Every field of `value` that is not known.
fn unknown(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Mapping(fields) => {
            for (key, value) in fields {
                let key = key.as_str().expect("a name");
                let join =
                    |key: &str| if at.is_empty() { key.to_owned() } else { format!("{at}.{key}") };
                let known = |path: &String| FIELDS.split_whitespace().any(|field| field == path);
                match [join(key), join("*")].into_iter().find(known) {
                    Some(path) => unknown(value, &path, found),
                    None => found.push(join(key)),
                }
            }
        }
        Value::Sequence(items) => {
            for item in items {
                unknown(item, &format!("{at}[]"), found);
            }
        }
        _ => {}
    }
}

#[test]
fn the_files_use_fields_of_the_api() {
    for (name, kind) in
        [("sources.yaml", "ConfigMap"), ("gather.yaml", "Job"), ("join.yaml", "Job")]
    {
        let value = file(name);
        let mut found = Vec::new();
        unknown(&value, "", &mut found);
        assert!(found.is_empty(), "{name}: {found:?}");
        assert_eq!(value["kind"], kind);
        assert_eq!(value["apiVersion"], if kind == "Job" { "batch/v1" } else { "v1" });
    }
    let job = &file("gather.yaml")["spec"];
    assert_eq!(job["completionMode"], "Indexed");
    // A limit for each index needs `Never`, and so does a failure policy.
    assert_eq!(job["template"]["spec"]["restartPolicy"], "Never");
    let shard =
        &job["template"]["spec"]["containers"][0]["env"][0]["valueFrom"]["fieldRef"]["fieldPath"];
    assert_eq!(shard, "metadata.annotations['batch.kubernetes.io/job-completion-index']");
}

/// The arguments of a job's container, as its pod gets them.
fn arguments(job: &Value, place: &Place, index: u64) -> Vec<String> {
    let args =
        job["spec"]["template"]["spec"]["containers"][0]["args"].as_sequence().expect("args");
    let mounted = format!("{}/", place.path().display());
    let texts = args.iter().map(|arg| arg.as_str().expect("a text"));
    texts
        .map(|text| text.replace("$(SHARD)", &index.to_string()).replace("/etc/airlift/", &mounted))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_jobs_gather_and_join() {
    let low = TestRegistry::start(FaultPlan::none()).await;
    let high = TestRegistry::start(FaultPlan::none()).await;
    let place = Place::new();
    let hosts = [("docker.io", &low), ("quay.io", &low), ("reg.example.com", &high)];
    let entry = |(host, registry): (&str, &TestRegistry)| {
        format!("    {host}:\n      endpoints: [\"{}\"]\n", registry.url())
    };
    let config = format!("registryConfig:\n  registries:\n{}", hosts.map(entry).concat());
    place.file("airlift.yaml", config);
    let map = file("sources.yaml");
    for (name, text) in map["data"].as_mapping().expect("files") {
        place.file(name.as_str().expect("a name"), text.as_str().expect("a text"));
    }
    let list = place.read("sources.list");
    for (seed, line) in (1..).zip(list.lines()) {
        let name = line.split(',').next().and_then(|source| source.split_once('/')).expect(line).1;
        let (repository, tag) = name.rsplit_once(':').expect(name);
        image::simple(seed).push(low.store(repository).as_ref(), Some(tag)).await;
    }
    let job = file("gather.yaml");
    let pods = job["spec"]["completions"].as_u64().expect("a number");
    let shard = format!("$(SHARD)/{pods}");
    let args = job["spec"]["template"]["spec"]["containers"][0]["args"].as_sequence();
    assert!(args.expect("args").iter().any(|arg| *arg == shard.as_str()), "as many as pods");
    let start = |index| -> Child {
        let mut command = place.command();
        command.args(arguments(&job, &place, index)).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().expect("starts")
    };
    let pods: Vec<Child> = (0..pods).map(start).collect();
    for mut pod in pods {
        assert!(pod.wait().expect("ends").success());
    }
    let mut command = place.command();
    let joined = place.run(command.args(arguments(&file("join.yaml"), &place, 0))).with(0);
    let whole = place.airlift("gather sources.list reg.example.com/whole:1").with(0);
    let digest = |out: &str| out.trim().rsplit_once('@').map(|(_, digest)| digest.to_owned());
    assert_eq!(digest(&joined.out), digest(&whole.out));
    assert!(digest(&joined.out).is_some());
}
