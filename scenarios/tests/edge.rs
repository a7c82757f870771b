//! CloudFront and Global Accelerator as they are typed.

mod common;

use common::{load_text, loaded, refused};
use std::io::Write as _;

use models::cloudfront::{Digit, Methods, ViewerProtocol};
use models::request::Method;
use scenarios::{Scenario, Source, load};
use sim_core::SimDuration;

const SITE: &str = r#"
title = "A site"
[run]
duration = "10m"
[[traffic]]
name = "viewers"
from = "tokyo"
to = "cloudfront.site"
rate = "10/s"
routes = [{ path = "/p/*", catalog = "pages", cookies = { session = 100, lang = 4 }, query_strings = { size = 3, utm = 5, Signature = 2 }, query_string_orders = 2 }]
[catalog.pages]
objects = 100
size = "1KB"
[cloudfront.site]
default_cache_behavior = { target_origin = "main" }
origin.main = { target = "station.first" }
origin.spare = { target = "station.second", rtt = "90ms" }
origin_group.both = { primary = "main", secondary = "spare" }
[station.first]
service = "10ms"
[station.second]
service = "10ms"
"#;

fn site(overrides: &[&str]) -> Scenario {
    loaded(SITE, overrides)
}

const DEFAULT: &str = "cloudfront.site.default_cache_behavior";

#[test]
fn behaviours_and_origins_have_awss_defaults() {
    let scenario = site(&[]);
    let it = &scenario.architecture.cloudfront[0];
    let behavior = &it.behaviors[0];
    assert_eq!((behavior.allowed, behavior.cached), (Methods::get_and_head(), Methods::get_and_head()));
    assert_eq!((behavior.viewer_protocol, behavior.collapsing), (ViewerProtocol::AllowAll, true));
    let origin = &it.origins[usize::from(behavior.origin)];
    assert_eq!((origin.name.as_str(), origin.connection_attempts), ("main", 3));
    let times = [origin.connection_timeout, origin.read_timeout, origin.keepalive_timeout];
    assert_eq!(times, [10, 30, 5].map(SimDuration::from_secs));
    assert!(behavior.failover.is_none() && behavior.named_key.is_empty());
}

#[test]
fn a_behaviour_names_an_origin_a_group_or_what_answers() {
    let group = site(&[&format!("{DEFAULT}.target_origin=both")]);
    let behavior = &group.architecture.cloudfront[0].behaviors[0];
    let failover = behavior.failover.as_ref().expect("a group");
    assert_eq!((behavior.origin, failover.origin, failover.statuses.as_slice()), (0, 1, &[500, 502, 503, 504][..]));
    let straight = site(&[&format!("{DEFAULT}.target_origin=station.second")]);
    let it = &straight.architecture.cloudfront[0];
    assert_eq!(it.origins[usize::from(it.behaviors[0].origin)].name, "station.second");
    refused(SITE, &[&format!("{DEFAULT}.target_origin=mian")], &["no origin is called `mian`", "did you mean `main`"]);
    let same = "cloudfront.site.origin_group.both.secondary=main";
    refused(SITE, &[&format!("{DEFAULT}.target_origin=both"), same], &["cannot stand in for itself"]);
    let criteria = "cloudfront.site.origin_group.both.failover_criteria=[418]";
    refused(SITE, &[&format!("{DEFAULT}.target_origin=both"), criteria], &["does not fail over for 418"]);
    refused(SITE, &["cloudfront.site.origin.main.connection_attempts=4"], &["between 1 and 3"]);
    refused(SITE, &["cloudfront.site.origin.main.connection_timeout=11s"], &["between 1s and 10s"]);
}

#[test]
fn keys_are_parts_of_variants_by_name() {
    let key = |settings: &[&str]| {
        let settings: Vec<String> = settings.iter().map(|it| format!("{DEFAULT}.{it}")).collect();
        let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
        let scenario = site(&settings);
        let key = scenario.architecture.cloudfront[0].behaviors[0].named_key.clone();
        (key[0].clone(), scenario)
    };
    // Numbers of values in ascending order: lang 4, session 100; Signature 2, size 3, utm 5, then two orders.
    let (lang, _) = key(&["cookie_behavior=whitelist", "cookies=[\"lang\"]"]);
    assert_eq!(lang.cookies, [Digit { divisor: 1, values: 4 }]);
    let (session, _) = key(&["cookie_behavior=allExcept", "cookies=[\"lang\"]"]);
    assert_eq!(session.cookies, [Digit { divisor: 4, values: 100 }]);
    let (size, _) = key(&["query_string_behavior=whitelist", "query_strings=[\"size\"]"]);
    assert_eq!(size.query_strings, [Digit { divisor: 2, values: 3 }], "one parameter has no order");
    let (two, _) = key(&["query_string_behavior=whitelist", "query_strings=[\"size\", \"utm\"]"]);
    let order = Digit { divisor: 2 * 3 * 5, values: 2 };
    assert_eq!(two.query_strings, [Digit { divisor: 2, values: 3 }, Digit { divisor: 6, values: 5 }, order]);
    let (signed, _) = key(&["query_string_behavior=all"]);
    assert_eq!(signed.query_strings, two.query_strings, "parameters of signed URLs are never in the key");
    let (_, scenario) = key(&["cookie_behavior=whitelist", "cookies=[\"tracking\"]"]);
    assert!(scenario.warnings.iter().any(|it| it.contains("no route names `tracking`")), "{:?}", scenario.warnings);
    refused(SITE, &[&format!("{DEFAULT}.cookie_behavior=whitelist")], &["this needs names in `cookies`"]);
    refused(SITE, &[&format!("{DEFAULT}.cookies=[\"lang\"]")], &["named but not chosen by name"]);
}

#[test]
fn methods_come_in_awss_sets_and_what_is_refused_is_told() {
    let all = format!("{DEFAULT}.allowed_methods=[\"GET\",\"HEAD\",\"OPTIONS\",\"PUT\",\"POST\",\"PATCH\",\"DELETE\"]");
    let scenario = site(&[&all]);
    assert!(scenario.architecture.cloudfront[0].behaviors[0].allowed.has(Method::Delete));
    refused(SITE, &[&format!("{DEFAULT}.allowed_methods=[\"GET\",\"POST\"]")], &["no such set of allowed_methods"]);
    refused(
        SITE,
        &[&format!("{DEFAULT}.cached_methods=[\"GET\",\"HEAD\",\"OPTIONS\"]")],
        &["what is not allowed is not cached"],
    );
    let post = site(&["traffic.0.routes.0.method=POST"]);
    assert!(post.warnings.iter().any(|it| it.contains("answers this method 403")), "{:?}", post.warnings);
}

#[test]
fn invalidations_find_their_paths_and_keep_within_the_quotas() {
    let one = "cloudfront.site.invalidations=[{ at = \"1m\", paths = [\"/p/*\"], objects = [1, 3] }]";
    let scenario = site(&[one]);
    let it = &scenario.architecture.cloudfront[0].invalidations[0];
    let path = scenario.architecture.traffic[0].routes[0].path;
    assert!(it.has_path[path.index()] && !it.has_path[0]);
    assert_eq!((it.objects.as_deref(), it.takes), (Some(&[0, 2][..]), SimDuration::from_secs(60)));
    let wildcards: Vec<String> = (0..16).map(|n| format!("\"/{n}/*\"")).collect();
    let many = format!("cloudfront.site.invalidations=[{{ at = \"1m\", paths = [{}] }}]", wildcards.join(", "));
    refused(SITE, &[&many], &["16 of them with wildcards", "quotas are 3000 and 15"]);
    refused(
        SITE,
        &["cloudfront.site.invalidations=[{ at = \"20m\", paths = [\"/\"] }]"],
        &["after the end of the run"],
    );
    refused(SITE, &["cloudfront.site.invalidations=[{ at = \"1m\", paths = [\"/*.png\"] }]"], &["at its end only"]);
}

#[test]
fn functions_and_error_pages_are_checked() {
    let function =
        |event: &str, kind: &str| format!("{DEFAULT}.{kind}=[{{ event_type = \"{event}\", time = \"1ms\" }}]");
    site(&[
        &function("viewer-request", "function_associations"),
        &function("origin-request", "lambda_function_associations"),
    ]);
    refused(
        SITE,
        &[&function("origin-request", "function_associations")],
        &["only Lambda@Edge runs at the origin's side"],
    );
    let both = [
        function("viewer-request", "function_associations"),
        function("viewer-request", "lambda_function_associations"),
    ];
    refused(SITE, &[&both[0], &both[1]], &["two functions for this event"]);
    refused(SITE, &["cloudfront.site.custom_error_responses=[{ error_code = 418 }]"], &["418 can have no page"]);
    let lonely = "cloudfront.site.custom_error_responses=[{ error_code = 404, response_code = 200 }]";
    refused(SITE, &[lonely], &["go together"]);
}

#[test]
fn a_price_class_puts_edges_where_viewers_are() {
    let class = |class: &str| {
        let class = format!("cloudfront.site.price_class={class}");
        let scenario = site(&[&class, "network.region=eu-west-1"]);
        let it = scenario.architecture.cloudfront[0].clone();
        (it.edges[0].name.clone(), it.regionals[0].name.clone(), it)
    };
    let (edge, regional, it) = class("PriceClass_All");
    assert_eq!((edge.as_str(), regional.as_str()), ("tokyo", "ap-northeast-1"));
    // The viewer's own line alone; half the globe to the origin in Ireland.
    assert_eq!(it.viewer_rtt(models::PlaceId(0)), Some(SimDuration::from_millis(10)));
    let far = it.origins[0].rtts[0].as_secs_f64();
    assert!((0.1..0.4).contains(&far), "{far}");
    let (edge, regional, _) = class("PriceClass_100");
    assert_eq!(regional, "us-west-2", "the nearest of the class to Japan is in North America: {edge}");
    let nowhere = SITE.replace("from = \"tokyo\"", "from = \"atlantis\"");
    refused(&nowhere, &["cloudfront.site.price_class=PriceClass_All"], &["nobody knows where `atlantis` is"]);
    let both = ["cloudfront.site.price_class=PriceClass_All", "cloudfront.site.edges=[{ place = \"tokyo\" }]"];
    refused(SITE, &both, &["either `edges` or `price_class`"]);
}

#[test]
fn catalogues_can_be_listed_in_a_file() {
    let folder = std::env::temp_dir().join(format!("stormglass-catalogue-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mut file = std::fs::File::create(folder.join("objects.csv")).unwrap();
    writeln!(file, "path,size,weight\n/a.png,100,1\n/b.png,200,3").unwrap();
    let text = SITE.replace("objects = 100\nsize = \"1KB\"\n", "file = \"objects.csv\"\n");
    let source = Source { name: "test.toml".into(), text };
    let scenario = load(&source, &[], Some(&folder)).unwrap_or_else(|wrong| panic!("{}", wrong.render(false)));
    let catalog = &scenario.architecture.catalogs[0];
    let listed = catalog.listed.as_ref().expect("listed");
    assert_eq!((catalog.objects, listed.sizes.as_slice(), listed.names[0].as_str()), (2, &[200, 100][..], "/b.png"));
    std::fs::remove_dir_all(&folder).unwrap();
    let missing = load(&source, &[], Some(&folder)).map(|it| it.title).expect_err("it is gone").render(false);
    assert!(missing.contains("catalogue file objects.csv cannot be opened"), "{missing}");
    refused(SITE, &["catalog.pages.file=x.csv"], &["a catalogue with a file has no `objects`"]);
}

const WORLD: &str = r#"
title = "Two Regions"
[run]
duration = "10m"
[[traffic]]
name = "viewers"
from = "tokyo"
to = "global_accelerator.world"
rate = "10/s"
[global_accelerator.world]
[global_accelerator.world.endpoint_group.near]
endpoint_group_region = "ap-northeast-1"
endpoints = [{ endpoint = "station.near" }]
[global_accelerator.world.endpoint_group.far]
endpoint_group_region = "eu-west-1"
traffic_dial_percentage = "50%"
endpoints = [{ endpoint = "station.far", weight = 255 }]
[station.near]
region = "ap-northeast-1"
service = "10ms"
[station.far]
region = "eu-west-1"
service = "10ms"
"#;

#[test]
fn accelerators_have_awss_defaults_and_know_how_far_places_are() {
    let scenario = loaded(WORLD, &[]);
    let it = &scenario.architecture.global_accelerators[0];
    assert_eq!((it.groups[0].traffic_dial, it.groups[1].traffic_dial), (1.0, 0.5));
    assert_eq!((it.groups[0].endpoints[0].weight, it.groups[1].endpoints[0].weight), (128, 255));
    assert_eq!((it.groups[0].threshold, it.groups[0].health_check_interval), (3, SimDuration::from_secs(30)));
    assert!(
        it.rtts[0][0] < SimDuration::from_millis(20) && it.rtts[0][1] > SimDuration::from_millis(150),
        "{:?}",
        it.rtts
    );
    assert!(scenario.warnings.is_empty(), "{:?}", scenario.warnings);
    let given = load_text(WORLD, &["global_accelerator.world.endpoint_group.far.rtt={ tokyo = \"1ms\" }"]).unwrap();
    assert_eq!(given.architecture.global_accelerators[0].rtts[0][1], SimDuration::from_millis(1));
    let group = "global_accelerator.world.endpoint_group.far";
    refused(WORLD, &[&format!("{group}.rtt={{ osaka = \"1ms\" }}")], &["no traffic comes from `osaka`"]);
    refused(WORLD, &[&format!("{group}.endpoint_group_region=eu-west-9")], &["there is no Region `eu-west-9`"]);
    refused(WORLD, &[&format!("{group}.health_check_interval=20s")], &["every 30 or every 10 seconds"]);
    refused(WORLD, &[&format!("{group}.endpoints.0.weight=256")], &["weight must be between 0 and 255"]);
    refused(WORLD, &["station.far.region=us-east-1"], &["this group is in eu-west-1"]);
}
