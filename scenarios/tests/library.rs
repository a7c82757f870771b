//! Every scenario that ships with the binary is right and uses everything it declares.

use scenarios::{LoadOptions, Override, Scenario, Source, library, load_with};

fn loaded(name: &str, overrides: &[&str]) -> Scenario {
    let text = library::get(name).expect("in the library").to_string();
    let overrides: Vec<Override> = overrides.iter().map(|it| Override((*it).to_string())).collect();
    let source = Source { name: format!("{name}.toml"), text };
    load_with(&source, &overrides, &LoadOptions::default()).unwrap_or_else(|wrong| panic!("{wrong}"))
}

#[test]
fn every_scenario_loads_without_warnings() {
    for (name, title) in library::list().filter(|(name, _)| *name != library::REPLAY) {
        let scenario = loaded(name, &[]);
        assert_eq!((scenario.name.as_str(), scenario.title.as_str()), (name, title));
        assert_eq!(scenario.warnings, Vec::<String>::new(), "{name}");
        assert!(!scenario.description.is_empty(), "{name} says what it shows");
    }
}
