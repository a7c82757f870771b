//! Methods, schemes, error pages, functions, compression and invalidations.

use super::*;

#[test]
fn custom_error_pages_have_their_status_size_and_caching_time() {
    let mut it = settings(POLICY, LARGE);
    let page = |error_code, response_code, seconds| ErrorPage {
        error_code,
        response_code,
        bytes: Some(300),
        caching_min_ttl: secs(seconds),
    };
    it.error_pages = vec![page(404, 200, 30), page(503, 200, 1)];
    let run = |status| {
        let mut stage = Stage::new(&it, SILENT);
        for i in 0..3 {
            stage.ask(secs(i * 6), |_| ());
        }
        stage.run(secs(60), &|_, _| (millis(30), Outcome::failed(status, Cause::TargetError)));
        stage.findings();
        (stage.at_origin.get(), stage.seen.take()[0])
    };
    // A single-page application's 404 is its front page: good. A page that says sorry is not what was wanted.
    let (asked, seen) = run(404);
    assert_eq!((asked, seen.outcome, seen.bytes), (1, Outcome::OK, 300));
    let (asked, seen) = run(503);
    assert_eq!((asked, seen.outcome), (3, Outcome::failed(200, Cause::TargetError)));
    let (asked, seen) = run(500);
    assert_eq!((asked, seen.outcome), (2, Outcome::failed(500, Cause::TargetError)), "no page: 10 s");
}

#[test]
fn an_invalidation_drops_paths_objects_and_all_their_variants_cache_by_cache() {
    let mut it = settings(CachePolicy { cookies: true, ..POLICY }, LARGE);
    let invalidation = |at, objects| Invalidation {
        at: SimTime::from_secs(at),
        takes: secs(10),
        paths: vec!["/".to_owned()],
        has_path: vec![true, false],
        objects,
    };
    it.invalidations = vec![invalidation(100, Some(vec![1])), invalidation(200, None)];
    let mut stage = Stage::new(&it, SILENT);
    for at in [0, 99, 120, 220, 221] {
        for (object, cookie, path) in [(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 0, 1)] {
            stage.ask(secs(at), |request| {
                (request.object, request.cookie_variant, request.path) = (object, cookie, PathId(path));
            });
        }
    }
    let mut asked = Vec::new();
    for until in [50, 110, 130, 220, 300] {
        stage.run(secs(until), &well);
        asked.push(stage.at_origin.get());
    }
    // All four at first; after 110 s both variants of object 1; after 210 s everything of the path.
    assert_eq!(asked, [4, 4, 6, 6, 9]);
    assert_eq!(counter(&stage.findings(), "invalidations"), 2.0);
}

#[test]
fn an_invalidation_reaches_edges_last_so_that_nothing_old_comes_back() {
    let mut it = settings(POLICY, LARGE);
    it.invalidations = vec![Invalidation {
        at: SimTime::from_secs(100),
        takes: secs(60),
        paths: vec!["/*".to_owned()],
        has_path: vec![true],
        objects: None,
    }];
    let mut stage = Stage::new(&it, SILENT);
    for i in 0..200 {
        stage.ask(secs(i), |_| ());
    }
    stage.run(secs(300), &well);
    let slow: Vec<u64> =
        stage.seen.take().iter().filter(|seen| seen.at % 1000 != 0).map(|seen| seen.at / 1000).collect();
    // The first fetch, and one when the edge has forgotten, in the last third of 60 s; the regional cache did before.
    assert!(slow.len() == 2 && slow[0] == 0 && (140..=160).contains(&slow[1]), "{slow:?}");
}

#[test]
fn methods_that_are_not_allowed_and_viewers_without_tls_are_refused_or_sent_on() {
    let mut it = settings(POLICY, LARGE);
    it.behaviors[0].allowed = Methods::get_and_head();
    let mut stage = Stage::new(&it, SILENT);
    stage.ask(secs(0), |request| request.method = Method::Post);
    stage.run(secs(1), &well);
    let refused = Outcome::failed(403, Cause::CloudFrontForbidden);
    assert_eq!((stage.seen.take()[0].outcome, stage.at_origin.get()), (refused, 0));

    it.behaviors[0].viewer_protocol = ViewerProtocol::RedirectToHttps;
    let mut stage = Stage::new(&it, SILENT);
    stage.cloudfront.borrow_mut().http_shares = vec![1.0];
    stage.cloudfront.borrow_mut().behaviors[0].delays = true;
    stage.ask(secs(0), |_| ());
    stage.run(secs(1), &well);
    // A round trip of 10 ms between viewer and edge more.
    assert_eq!(stage.seen(), [(0, 160, 200)]);
    assert_eq!(counter(&stage.findings(), "redirects to https"), 1.0);

    it.behaviors[0].viewer_protocol = ViewerProtocol::HttpsOnly;
    let mut stage = Stage::new(&it, SILENT);
    stage.cloudfront.borrow_mut().http_shares = vec![1.0];
    stage.cloudfront.borrow_mut().behaviors[0].delays = true;
    stage.ask(secs(0), |_| ());
    stage.run(secs(1), &well);
    assert_eq!((stage.seen.take()[0].outcome, stage.at_origin.get()), (refused, 0));
}

#[test]
fn options_are_cached_apart_where_the_behaviour_says_so() {
    let mut it = settings(POLICY, LARGE);
    it.behaviors[0].cached = Methods::of(&[Method::Get, Method::Head, Method::Options]);
    let mut stage = Stage::new(&it, SILENT);
    for (at, method) in [(0, Method::Get), (1, Method::Options), (2, Method::Options), (3, Method::Head)] {
        stage.ask(secs(at), |request| request.method = method);
    }
    stage.run(secs(5), &well);
    assert_eq!(stage.seen(), [(0, 150, 200), (1, 1_150, 200), (2, 2_000, 200), (3, 3_000, 200)]);
}

#[test]
fn compression_makes_copies_smaller_within_its_bounds() {
    let mut it = settings(POLICY, LARGE);
    it.behaviors[0].compress = true;
    let mut stage = Stage::new(&it, SILENT);
    for (object, bytes) in [(0, 1000), (1, 999), (2, 10_000_000), (3, 10_000_001)] {
        stage.ask(secs(object), |request| (request.object, request.bytes) = (object as u32, bytes));
    }
    stage.run(secs(5), &well);
    let bytes: Vec<u32> = stage.seen.take().iter().map(|seen| seen.bytes).collect();
    assert_eq!(bytes, [250, 999, 2_500_000, 10_000_001]);
}

#[test]
fn functions_take_their_time_where_they_run_and_fail_with_503() {
    let function = |millis: f64, error_rate: f64| {
        let time = Distribution::constant(millis / 1000.0).unwrap();
        Some(Function { time, limit: secs(5), error_rate })
    };
    let mut it = settings(POLICY, LARGE);
    it.behaviors[0].functions = Functions {
        viewer_request: function(1.0, 0.0),
        viewer_response: function(2.0, 0.0),
        origin_request: function(10.0, 0.0),
        origin_response: function(20.0, 0.0),
    };
    let mut stage = Stage::new(&it, SILENT);
    stage.ask(secs(0), |_| ());
    stage.ask(secs(1), |_| ());
    stage.ask(secs(2), |request| request.method = Method::Post);
    stage.run(secs(5), &well);
    // A miss runs all four, a hit those of the viewer.
    assert_eq!(stage.seen(), [(0, 183, 200), (1, 1_003, 200), (2, 2_193, 200)]);
    stage.findings();
    let failing: [fn(&mut Functions, Option<Function>); 4] = [
        |it, function| it.viewer_request = function,
        |it, function| it.viewer_response = function,
        |it, function| it.origin_request = function,
        |it, function| it.origin_response = function,
    ];
    for fail in failing {
        let mut it = settings(POLICY, LARGE);
        fail(&mut it.behaviors[0].functions, function(1.0, 1.0));
        let mut stage = Stage::new(&it, SILENT);
        stage.ask(secs(0), |_| ());
        stage.ask(secs(30), |request| request.method = Method::Post);
        stage.run(secs(60), &well);
        let failed = Outcome::failed(503, Cause::EdgeFunction);
        assert!(stage.seen.take().iter().all(|seen| seen.outcome == failed));
        stage.findings();
        assert!(stage.bench.shared.requests.is_empty());
    }
    // Over its limit a function is ended, which is an error.
    let mut it = settings(POLICY, LARGE);
    it.behaviors[0].functions.viewer_request = function(6_000.0, 0.0);
    let mut stage = Stage::new(&it, SILENT);
    stage.ask(secs(0), |_| ());
    stage.run(secs(60), &well);
    assert_eq!(stage.seen(), [(0, 5_000, 503)]);
}
