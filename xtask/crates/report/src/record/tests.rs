//! The record's own tests.

use super::*;

/// A sample that means nothing, for the shape of the file.
fn sample() -> Sample {
    Sample::new("synthetic", "byb", Metric::InstructionsPerCall, Kind::Counted, 0, 66.1).with("call", "getppid")
}

/// A record of nothing that was ever measured.
pub fn record() -> Record {
    Record {
        schema_version: SCHEMA_VERSION,
        revision: Revision { git_commit: "0".repeat(40), git_dirty: true },
        started_at: "2001-02-03T04:05:06Z".parse().unwrap(),
        host: Host {
            cpu_model: "synthetic host CPU".to_owned(),
            cpus: 2,
            kernel_release: "0.0".to_owned(),
            load_average_1_min: 0.1,
            mitigations: BTreeMap::from([("meltdown".to_owned(), "Not affected".to_owned())]),
        },
        emulator: Emulator {
            version: "synthetic emulator".to_owned(),
            accelerators: vec![Accelerator::TcgCounting, Accelerator::Tcg],
        },
        guest: GuestFacts {
            kernel_release: "0.0".to_owned(),
            kernel_command_line: "synthetic pti=on".to_owned(),
            cpu_model: "synthetic guest CPU".to_owned(),
            cpus: 1,
            memory_mib: 512,
            mitigations: BTreeMap::from([("meltdown".to_owned(), "Mitigation: PTI".to_owned())]),
        },
        samples: vec![sample().with("value_bytes", 64)],
    }
}

#[test]
fn what_was_written_is_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut record = record();
    // Not representable in few digits: the text must carry every bit.
    record.samples.push(Sample { value: 0.1 + 0.2, round: 1, ..record.samples[0].clone() });
    record.write(&dir.path().join("new")).unwrap();
    assert_eq!(Record::read(&dir.path().join("new")).unwrap(), record);
    let files = fs_err::read_dir(dir.path().join("new")).unwrap().count();
    assert_eq!(files, 1, "nothing but the record is left behind");
}

#[test]
fn the_shape_of_the_file() {
    insta::assert_snapshot!(serde_json::to_string_pretty(&record()).unwrap());
}

#[test]
fn a_sample_that_would_mislead_is_refused() {
    let refused = |sample: Sample| {
        let record = Record { samples: vec![sample], ..record() };
        format!("{:#}", record.validate().unwrap_err())
    };
    let with = |change: fn(&mut Sample)| {
        let mut changed = sample();
        change(&mut changed);
        refused(changed)
    };
    insta::assert_snapshot!(
        [
            with(|sample| sample.unit = "ns".to_owned()),
            with(|sample| sample.better = Better::Higher),
            with(|sample| sample.value = f64::NAN),
            with(|sample| sample.parameters.clear()),
        ]
        .join("\n"),
        @"
        sample 0 (synthetic at byb): unit `ns`, but Instructions per call is in `instructions`
        sample 0 (synthetic at byb): `better` is Higher, but Instructions per call is Lower
        sample 0 (synthetic at byb): value NaN is not a quantity
        sample 0 (synthetic at byb): Instructions per call needs the parameter `call`
        "
    );
}

#[test]
fn an_unknown_key_and_another_version_are_refused() {
    let text = serde_json::to_string(&record()).unwrap();
    let unknown = text.replacen("\"round\"", "\"turn\"", 1);
    assert!(serde_json::from_str::<Record>(&unknown).unwrap_err().to_string().contains("unknown field `turn`"));
    let newer = Record { schema_version: SCHEMA_VERSION + 1, ..record() };
    assert!(newer.validate().unwrap_err().to_string().contains("schema_version is 2"));
}

#[test]
fn a_folder_without_a_record_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let (text, status) = ukl_host::failure::describe(&Record::read(dir.path()).unwrap_err());
    assert!(text.contains("bench.json") && text.contains("--out DIR"), "{text}");
    assert_eq!(status, 2);
}
