//! One command at a time to a Valkey node, over a connection of its own.

use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// A node that is cut off does not hold a test up.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// What a node said: the strings of its answer in their order, however deep they stand; or its error, or why there was
/// no answer. Keys are any bytes: here and in what is asked, each byte is the character of its number.
pub(crate) type Said = Result<Vec<String>, String>;

/// Sends one command. An answer may take `longer` than a node takes by itself.
pub(crate) fn ask(address: SocketAddr, words: &[&str], longer: Duration) -> Said {
    let answer = || -> std::io::Result<Said> {
        let mut stream = TcpStream::connect_timeout(&address, ANSWER_MAX)?;
        stream.set_read_timeout(Some(ANSWER_MAX + longer))?;
        stream.write_all(&command(words))?;
        read(&mut BufReader::new(stream))
    };
    answer().unwrap_or_else(|error| Err(error.to_string()))
}

fn command(words: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        let word: Vec<_> = word.chars().map(|char| u8::try_from(char).expect("a byte")).collect();
        bytes.extend(format!("${}\r\n", word.len()).bytes().chain(word).chain(*b"\r\n"));
    }
    bytes
}

fn read(stream: &mut impl BufRead) -> std::io::Result<Said> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let line = line.trim_end();
    let Some((kind, rest)) = line.split_at_checked(1) else {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    };
    let count = rest.parse().unwrap_or(-1_i64);
    Ok(match kind {
        "-" => Err(rest.to_owned()),
        "$" if count >= 0 => {
            let mut bytes = vec![0; usize::try_from(count).expect("it is not negative") + "\r\n".len()];
            stream.read_exact(&mut bytes)?;
            bytes.truncate(bytes.len() - "\r\n".len());
            Ok(vec![bytes.into_iter().map(char::from).collect()])
        }
        "*" => {
            let mut all = Vec::new();
            for _ in 0..count {
                match read(stream)? {
                    Ok(mut strings) => all.append(&mut strings),
                    error => return Ok(error),
                }
            }
            Ok(all)
        }
        "$" => Ok(Vec::new()),
        _ => Ok(vec![rest.to_owned()]),
    })
}
