//! Just enough of Rust to hold the rules against it: code without comments and literals, the first two names of
//! every path, and how long functions are.

/// The code of `source`: comments, strings and characters become blanks; lines stay lines.
pub(super) fn code(source: &str) -> String {
    let chars: Vec<char> = source.chars().collect();
    let mut code = String::with_capacity(source.len());
    let mut at = 0;
    while at < chars.len() {
        let end = literal_end(&chars, at);
        if end == at {
            code.push(chars[at]);
            at += 1;
        } else {
            code.extend(chars[at..end].iter().map(|&char| if char == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    code
}

/// Where the comment or literal that begins at `at` ends; `at` if none begins.
fn literal_end(chars: &[char], at: usize) -> usize {
    let is = |at: usize, char: char| chars.get(at) == Some(&char);
    let in_name = |at: usize| chars.get(at).is_some_and(|&char| char.is_alphanumeric() || char == '_');
    let find = |from: usize, end: &str| {
        let end: Vec<char> = end.chars().collect();
        let found = (from..chars.len()).find(|&at| chars[at..].starts_with(&end));
        found.map_or(chars.len(), |at| at + end.len())
    };
    let escaped = |from: usize, quote: char| {
        let mut at = from;
        while at < chars.len() && chars[at] != quote {
            at += if chars[at] == '\\' { 2 } else { 1 };
        }
        (at + 1).min(chars.len())
    };
    match chars[at] {
        '/' if is(at + 1, '/') => find(at, "\n") - usize::from(find(at, "\n") < chars.len()),
        '/' if is(at + 1, '*') => find(at + 2, "*/"),
        '"' => escaped(at + 1, '"'),
        'r' if (at == 0 || !in_name(at - 1) || is(at - 1, 'b')) && (is(at + 1, '"') || is(at + 1, '#')) => {
            let hashes = chars[at + 1..].iter().take_while(|&&char| char == '#').count();
            // `r#type` is a name.
            if is(at + 1 + hashes, '"') {
                find(at + 2 + hashes, &format!("\"{}", "#".repeat(hashes)))
            } else {
                at
            }
        }
        // A lifetime has no closing quote.
        '\'' if is(at + 1, '\\') => escaped(at + 1, '\''),
        '\'' if is(at + 2, '\'') => at + 3,
        _ => at,
    }
}

/// `code` without what stands under `#[cfg(test)]`.
pub(super) fn product(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut product = String::new();
    let mut rest = code;
    while let Some(at) = rest.find(MARK) {
        product.push_str(&rest[..at]);
        let item = &rest[at + MARK.len()..];
        let end = item_end(item);
        product.extend(item[..end].chars().filter(|&char| char == '\n'));
        rest = &item[end..];
    }
    product + rest
}

/// Where the first item of `code` ends: at its `;`, or at the brace that closes its first one.
fn item_end(code: &str) -> usize {
    let (mut braces, mut brackets) = (0, 0);
    for (at, char) in code.char_indices() {
        match char {
            '(' | '[' => brackets += 1,
            ')' | ']' => brackets -= 1,
            '{' => braces += 1,
            '}' if braces == 1 => return at + 1,
            '}' => braces -= 1,
            ';' if braces == 0 && brackets == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

/// The functions of `code`: name, first line, number of lines.
pub(super) fn functions(code: &str) -> Vec<(String, usize, usize)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        let before = code[..at].chars().next_back();
        let name: String = code[at + 3..].chars().take_while(|char| in_name(*char)).collect();
        if before.is_some_and(in_name) || name.is_empty() {
            continue;
        }
        let lines = code[at..at + item_end(&code[at..])].matches('\n').count() + 1;
        found.push((name, code[..at].matches('\n').count() + 1, lines));
    }
    found
}

fn in_name(char: char) -> bool {
    char.is_alphanumeric() || char == '_'
}

/// The paths that begin with `root`: for `use crate::{a::b, c};` and the root `crate`, `a` and `c`.
pub(super) fn names_below(code: &str, root: &str) -> Vec<String> {
    let starts = path_starts(code, root);
    starts.flat_map(|at| first_names(&code[at + root.len()..])).collect()
}

/// Whether a path of `code` begins with `root`, or a `use` is of `root` as it is.
pub(super) fn is_named(code: &str, root: &str) -> bool {
    path_starts(code, root).any(|at| {
        let used = code[..at].trim_end().ends_with("use") || code[..at].trim_end().ends_with("extern crate");
        used || code[at + root.len()..].trim_start().starts_with("::")
    })
}

/// Where `root` stands as a whole name that no path leads to.
fn path_starts<'a>(code: &'a str, root: &'a str) -> impl Iterator<Item = usize> + 'a {
    code.match_indices(root).map(|(at, _)| at).filter(move |&at| {
        let whole = !code[at + root.len()..].starts_with(in_name) && !code[..at].ends_with(in_name);
        let before = code[..at].trim_end();
        // `::sled` is the crate; `a::sled` is not.
        let led = before.strip_suffix("::").is_some_and(|before| before.ends_with(in_name));
        whole && !led
    })
}

/// The first name of each path in what follows a root: `::a::b` or `::{a::b, c}`.
fn first_names(rest: &str) -> Vec<String> {
    let Some(rest) = rest.trim_start().strip_prefix("::") else { return Vec::new() };
    let rest = rest.trim_start();
    let Some(group) = rest.strip_prefix('{') else { return vec![first_name(rest)] };
    let mut names = vec![first_name(group)];
    let mut depth = 1;
    for (at, char) in group.char_indices() {
        match char {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => names.push(first_name(&group[at + 1..])),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

fn first_name(text: &str) -> String {
    text.trim_start().trim_start_matches("r#").chars().take_while(|char| in_name(*char)).collect()
}

/// The longest chain of `super` in `code`: 2 for `super::super::a`.
pub(super) fn supers(code: &str) -> usize {
    let joined: String = code.split_whitespace().collect::<Vec<_>>().join(" ").replace(" :: ", "::");
    let chains = joined.match_indices("super::");
    chains
        .map(|(at, chain)| joined[at..].split(chain).take_while(|part| part.is_empty()).count())
        .max()
        .unwrap_or(0)
}

#[test]
fn comments_and_literals_are_no_code() {
    let source = "a // use crate::http\n/* b */ c \"\\\" d\" r#\"e \" f\"# 'g' '\\'' b\"h\" &'life i r#type";
    let code = code(source);
    assert_eq!(code.split_whitespace().collect::<Vec<_>>(), ["a", "c", "b", "&'life", "i", "r#type"]);
    assert_eq!(code.matches('\n').count(), 1);
}

#[test]
fn what_stands_under_test_is_no_product() {
    let code = "fn a() {}\n#[cfg(test)]\nmod tests {\n fn b() { x.unwrap() }\n}\nfn c() {}\n#[cfg(test)]\nmod tests;\n";
    let product = product(code);
    assert!(product.contains("fn a") && product.contains("fn c") && !product.contains("unwrap"), "{product}");
    assert!(!product.contains("mod"), "{product}");
}

#[test]
fn functions_have_names_and_lengths() {
    let code = "fn a(x: [u8; 2]) -> u8 {\n  if x { 1 }\n  else { 2 }\n}\n\ntrait T {\n  fn b(&self);\n}\nlet f: fn(u8);";
    assert_eq!(functions(code), [("a".to_owned(), 1, 4), ("b".to_owned(), 7, 1)]);
}

#[test]
fn paths_are_found_in_groups_and_inline() {
    let code = "use crate::{domain::{A, B}, store};\nlet x = crate::http::Y;\nuse foo::crate_::z; pub(crate) fn f() {}";
    assert_eq!(names_below(code, "crate"), ["domain", "store", "http"]);
    assert!(is_named("use sled;", "sled") && is_named("let x = ::sled::open();", "sled"));
    assert!(!is_named("use crate::sled::x; let sled = 1; unsled::x(); sled_::y()", "sled"));
    assert_eq!(supers("use super::super::x; use super::y;"), 2);
    assert_eq!(supers("use crate::x;"), 0);
}
