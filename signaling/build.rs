//! Builds again when the web client was built again, because a release carries it inside.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // A debug build reads the folder when it runs. And a folder that is missing counts as changed every time.
    if std::env::var("PROFILE").is_ok_and(|profile| profile == "release") {
        println!("cargo::rerun-if-changed=../web-client/dist");
    }
}
