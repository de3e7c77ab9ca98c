//! What the command line tells of recordings, asked as its user would.

use std::process::{Command, Output};

use crate::fixtures::school::School;
use recorder::{
    Checkpoint,
    journal::{self, HashChain, Record},
};
use school::account::system_scope;
use signaling::{data_dir, live::recording::SealKey};

fn tongke(school: &School, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tongke"));
    command.args(words).arg("--data").arg(school.folder.path());
    command.output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn complained(output: &Output) -> String {
    assert_eq!((output.status.code(), said(output)), (Some(1), String::new()));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "somebody has the disk in their hands")]
async fn a_recording_is_listed_verified_and_repaired_from_the_console() {
    let school = School::open().await;
    let teacher = school.teacher().await;
    school.post(&school.lesson("/start"), &teacher, "{}").await;
    let ended = school.post(&school.lesson("/end"), &teacher, "{}").await.json();
    let id = ended["recording"]["recording_id"].as_str().unwrap();

    let listed = tongke(&school, &["recordings"]);
    let line = said(&listed);
    let title = ended["title"].as_str().unwrap();
    for word in [id, "sealed", "0:00:0", &school.lesson_id().to_string(), title] {
        assert!(line.contains(word), "{word} in {line} {}", String::from_utf8_lossy(&listed.stderr));
    }
    let listed: serde_json::Value = serde_json::from_str(&said(&tongke(&school, &["recordings", "--json"]))).unwrap();
    assert_eq!((&listed[0]["recording_id"], &listed[0]["condition"]), (&id.into(), &"sealed".into()));
    assert_eq!((&listed[0]["title"], listed.as_array().unwrap().len()), (&title.into(), 1));

    let whole = tongke(&school, &["verify", "recording", id]);
    assert!(said(&whole).contains("none touched") && said(&whole).contains("Signed by this hub's key"), "{whole:?}");
    let folder = school.folder.path().join("recordings").join(id);
    let journal = std::fs::read(folder.join("journal.log")).unwrap();
    let mut touched = journal.clone();
    touched[30] ^= 1;
    std::fs::write(folder.join("journal.log"), touched).unwrap();
    let found = complained(&tongke(&school, &["verify", "recording", id]));
    assert!(found.contains("record 1 of journal.log, from byte 0, does not fit its CRC"), "{found}");
    std::fs::write(folder.join("journal.log"), journal).unwrap();
    let other = "0192f0c4-7d5e-7cc1-8a6b-1f2e3d4c5b6a";
    assert!(complained(&tongke(&school, &["verify", "recording", other])).contains("there is no recording"));

    // Taken away as a whole, it can be checked elsewhere; and the audit has it.
    let elsewhere = tempfile::tempdir().unwrap();
    let to = elsewhere.path().join("recordings");
    let exported = said(&tongke(&school, &["recordings", "export", id, "--to", to.to_str().unwrap()]));
    assert!(exported.contains("none touched"), "{exported}");
    assert_eq!(school.acts(1).await, ["export_recording"]);
    let mut verify = Command::new(env!("CARGO_BIN_EXE_tongke"));
    let there = verify.args(["verify", "recording", id, "--data"]).arg(elsewhere.path()).output().unwrap();
    assert!(said(&there).contains("none touched"), "{there:?}");
    assert_eq!(listed[0]["copies"]["mirrored"], false);

    std::fs::remove_file(folder.join("seal.json")).unwrap();
    let cut_off = complained(&tongke(&school, &["recordings", "export", id, "--to", to.to_str().unwrap()]));
    assert!(cut_off.contains("is not over"), "{cut_off}");
    assert!(said(&tongke(&school, &["recordings"])).contains("unsealed"));
    let running = data_dir::alone(school.folder.path()).unwrap();
    let refused = complained(&tongke(&school, &["recordings", "repair", id]));
    assert!(refused.contains("stop the hub first"), "{refused}");
    drop(running);
    let repaired = said(&tongke(&school, &["recordings", "repair", id]));
    assert!(repaired.contains(" sealed "), "{repaired}");
    assert_eq!(school.acts(1).await, ["repair_recording"]);
    assert!(said(&tongke(&school, &["verify", "recording", id])).contains("none touched"));
    assert!(said(&tongke(&school, &["verify", "audit"])).contains("none touched"));
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "somebody has the disk in their hands")]
async fn a_journal_that_was_written_anew_as_a_whole_is_found_out_beside_the_database() {
    let school = School::open().await;
    let teacher = school.teacher().await;
    school.post(&school.lesson("/start"), &teacher, "{}").await;
    let ended = school.post(&school.lesson("/end"), &teacher, "{}").await.json();
    let id = ended["recording"]["recording_id"].as_str().unwrap();
    let folder = school.folder.path().join("recordings").join(id);
    let key = SealKey::existing(school.folder.path()).unwrap().unwrap();
    let whole = tongke(&school, &["verify", "recording", id]);
    assert!(said(&whole).contains("0 checkpoints of the database are all in it, and so is the seal"), "{whole:?}");

    // What the hub keeps once a minute, of a lesson that is shorter than that.
    let journal = std::fs::read(folder.join("journal.log")).unwrap();
    let (records, ..) = journal::read(&journal);
    let mut chain = HashChain::default();
    chain.frame(&records[0]).unwrap();
    let kept = Checkpoint::new(id.parse().unwrap(), 1, chain.head().to_owned(), 60_000, Some(&key));
    let now = school::base::time::UnixMs(0);
    school.app.store.save_checkpoints(&system_scope::bell(), &[kept], now).await.unwrap();
    let whole = tongke(&school, &["verify", "recording", id]);
    assert!(said(&whole).contains("1 checkpoints of the database are all in it"), "{whole:?}");

    // The seal of another lesson's end, by the same key: nothing in the folder tells.
    std::fs::remove_file(folder.join("seal.json")).unwrap();
    let (mut chain, mut bytes) = (HashChain::default(), Vec::new());
    for record in records {
        let record = match record {
            Record::Start { recording_id, version, software, .. } => {
                Record::Start { recording_id, version, software, started_at_ms: 1 }
            }
            other => other,
        };
        bytes.extend(chain.frame(&record).unwrap());
    }
    std::fs::write(folder.join("journal.log"), bytes).unwrap();
    said(&tongke(&school, &["recordings", "repair", id]));
    let found = complained(&tongke(&school, &["verify", "recording", id]));
    assert!(found.contains("record 1 of journal.log, from byte 0, is not the one that stood there 1:00"), "{found}");
}
