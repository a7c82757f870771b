//! Nothing that a scenario or a log says becomes markup of the report.

mod common;

use std::collections::BTreeSet;

use common::{Folder, stderr};

/// A scenario with `evil` in every text that its author is free to choose. Names of parts may hold only letters, digits, `-`
/// and `_`; see `names_that_are_no_names_are_refused`.
fn scenario(evil: &str) -> String {
    format!(
        r#"
title = '''title {evil}'''
description = '''description {evil}'''
[run]
duration = "200s"
warm_up = "1s"
replications = 2
[[traffic]]
name = "people"
from = '''place {evil}'''
to = "cloudfront.site"
rate = "30/s"
timeout = "60ms"
routes = [{{ path = '''/{evil}''', catalog = "things" }}, {{ path = '''/b{evil}''' }}]
[[traffic]]
name = "replay"
to = "alb.front"
replay = {{ log = "access.log" }}
routes = [{{ path = '''/{evil}*''' }}, {{ path = "*" }}]
[catalog.things]
objects = 10
size = "1KB"
[cloudfront.site]
edges = [{{ place = '''place {evil}''', regional = "region" }}]
regional_edge_caches = [{{ name = "region" }}]
default_cache_behavior = {{ target_origin = "alb.front", cache_policy = "CachingDisabled" }}
[alb.front]
rule = [{{ path_pattern = '''/{evil}''', forward = "web" }}, {{ forward = "web" }}]
target_group.web = {{ targets = "ecs.web", health_check = {{ interval = "5s", timeout = "2s" }} }}
[ecs.web]
cpu = "1 vCPU"
desired_count = 2
availability_zones = ['''zone {evil}''']
launch_time = "5s"
[[ecs.web.handler]]
path = '''/{evil}'''
steps = [{{ cpu = "2ms" }}, {{ call = "aurora.db.read" }}]
[[ecs.web.handler]]
steps = [{{ cpu = "5ms" }}, {{ call = "aurora.db.read" }}]
[[ecs.web.scaling]]
policy_name = '''policy {evil}'''
min_capacity = 2
max_capacity = 5
target_value = 5
scale_out_datapoints = 1
[aurora.db]
instances = [
    {{ name = "one", db_instance_class = "db.r6g.large" }},
    {{ name = "two", db_instance_class = "db.r6g.large" }},
]
statements.read = {{ cpu = "10ms" }}
[[deploy]]
service = "ecs.web"
at = "20s"
[[fault]]
at = "70s"
action = "aws:rds:failover-db-cluster"
target = "aurora.db"
[[fault]]
at = "150s"
action = "aws:ecs:stop-task"
target = "ecs.web"
[[expect]]
metric = "latency.p99"
route = '''people /{evil}'''
max = "1s"
"#
    )
}

/// The page for this text.
fn page(evil: &str) -> String {
    let target = evil.replace(' ', "+").replace('"', "\\\"");
    let line = |second: u32| {
        format!("h{second} - - [01/Mar/2024:12:00:{second:02} +0000] \"GET /{target} HTTP/1.1\" 200 51 \"-\" \"-\"\n")
    };
    let folder = Folder::with("hostile.toml", &scenario(evil));
    std::fs::write(folder.path("access.log"), (0..60).map(line).collect::<String>()).unwrap();
    let output = folder.run(&["run", "hostile.toml", "--out", "out", "--no-fail", "--quiet"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    std::fs::read_to_string(folder.path("out/report.html")).unwrap()
}

/// Every kind of tag with the names of its attributes, as a browser would cut the page up: `<` begins one, `>` outside of quotes
/// ends it.
fn tags(page: &str) -> BTreeSet<String> {
    let mut tags = BTreeSet::new();
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        let mut quote = None;
        let end = rest[at..].char_indices().find(|&(_, c)| match quote {
            Some(q) => {
                quote = (c != q).then_some(q);
                false
            }
            None => {
                quote = (c == '"' || c == '\'').then_some(c);
                c == '>'
            }
        });
        let (end, _) = end.expect("a tag ends");
        let tag = &rest[at..at + end];
        let names = tag.split('"').step_by(2).flat_map(str::split_whitespace);
        tags.insert(names.map(|name| name.trim_end_matches('=')).collect::<Vec<_>>().join(" "));
        rest = &rest[at + end..];
    }
    tags
}

#[test]
fn hostile_text_leaves_the_page_as_it_is() {
    let expected = tags(&page("quiet"));
    let has = |name: &str| expected.iter().any(|tag| tag.starts_with(name));
    assert!(["<svg", "<text", "<td", "<title"].into_iter().all(has), "{expected:?}");
    assert!(!["<script", "<img"].into_iter().any(has), "{expected:?}");
    for evil in [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "' onmouseover='alert(1)",
        "</title></style></svg></text><svg onload=alert(1)>",
        "<!-- ]]> <![CDATA[ --",
        "{{ scenario }}{% raw %}",
        "&lt;script&gt; &#60;b&#62;",
        "javascript:alert(1) url(http://evil.example)",
        "\u{202e}\u{feff}\u{0}".trim_end_matches('\0'),
    ] {
        let found = page(evil);
        // Other paths are other customers, so figures may differ, but no tag and no attribute is new.
        let new: Vec<_> = tags(&found).difference(&expected).cloned().collect();
        assert_eq!(new, Vec::<String>::new(), "{evil}");
        // What is said is there to be read, as often as the tame text is.
        let escaped = |text: &str| {
            text.replace('&', "&amp;")
                .replace('<', "&lt;")
                .replace('>', "&gt;")
                .replace('"', "&quot;")
                .replace('\'', "&#x27;")
                .replace('/', "&#x2f;")
        };
        assert!(found.contains(&escaped(evil)), "{evil}");
        if evil.contains(['<', '"', '\'']) {
            assert!(!found.contains(evil), "{evil}");
        }
    }
}

#[test]
fn names_that_are_no_names_are_refused() {
    let tame = scenario("quiet");
    for name in [
        "name = \"people\"",
        "[catalog.things]",
        "name = \"region\"",
        "[cloudfront.site]",
        "[alb.front]",
        "target_group.web",
        "[ecs.web]",
        "[aurora.db]",
        "statements.read",
        "name = \"one\"",
    ] {
        let word = name.rsplit(['.', '"', ']']).find(|word| !word.is_empty()).unwrap();
        let hostile = if name.contains('"') { "<b>".to_owned() } else { "\"<b>\"".to_owned() };
        let folder = Folder::with("hostile.toml", &tame.replace(name, &name.replace(word, &hostile)));
        let output = folder.run(&["run", "hostile.toml"]);
        assert_eq!(output.status.code(), Some(2), "{name}");
        assert!(stderr(&output).contains("`<b>` cannot be a name"), "{name}: {}", stderr(&output));
    }
}
