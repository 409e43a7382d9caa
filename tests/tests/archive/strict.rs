//! Reading strictly: what other programs put beside `index.json` has to agree with the images.

use super::*;

/// Reads an archive of ace-dt strictly.
async fn read_strictly(bytes: &[u8]) -> Result<Received, DeserializeError> {
    let options = DeserializeOptions { strict: true, ..DeserializeOptions::default() };
    deserialize(vec![in_hand(bytes)], Arc::new(MemoryStore::new()), &options, silent()).await
}

#[tokio::test]
async fn a_manifest_json_of_another_program_is_accepted_strictly_when_it_is_right() {
    let bytes = fixture("12-manifest-json/archive.tar");
    read_strictly(&bytes).await.unwrap_or_else(|error| panic!("{}", chain(&error)));
    read_strictly(&fixture("14-archive-command/archive-flags.tar.gz")).await.unwrap();

    let begin = b"[\n  {\n    \"Config\"";
    let at = bytes.windows(begin.len()).rposition(|part| part == begin).unwrap();
    let digest = at + bytes[at..].windows(7).position(|part| part == b"sha256/").unwrap() + 7;
    let tag = at + bytes[at..].windows(10).position(|part| part == b"127.0.9.1/").unwrap();
    for (place, byte, reason) in [
        (digest, bytes[digest] ^ 1, "it lists an image that no manifest describes"),
        (tag, b'-', "it names what is no image"),
        (at, b'{', "it is no list of images that can be checked"),
    ] {
        let mut other = bytes.clone();
        other[place] = byte;
        let text = chain(&read_strictly(&other).await.unwrap_err());
        assert!(text.contains(reason) && text.contains("manifest.json"), "{text}");
        read(&[&other], Arc::new(MemoryStore::new()), "in").await.unwrap();
    }
}

/// `repositories`, as docker writes it, in an archive that another program wrote.
fn with_repositories(archive: &[u8], repositories: &str) -> Vec<u8> {
    let end = archive.len() - archive.iter().rev().take_while(|byte| **byte == 0).count();
    let mut bytes = archive[..end.next_multiple_of(512)].to_vec();
    let mut builder = tar::Builder::new(&mut bytes);
    let mut header = tar::Header::new_ustar();
    header.set_size(repositories.len() as u64);
    builder.append_data(&mut header, "repositories", repositories.as_bytes()).unwrap();
    builder.finish().unwrap();
    drop(builder);
    bytes
}

#[tokio::test]
async fn repositories_of_another_program_are_accepted_strictly_when_they_are_right() {
    let bytes = fixture("01-plain/archive.tar");
    let sink = Arc::new(MemoryStore::new());
    read(&[&bytes], sink.clone(), "in").await.unwrap();
    let source: Arc<dyn Source> = sink;
    let root = source.fetch(&Version::Tag(tag("in"))).await.unwrap();
    let graph = walk(&source, root, &WalkOptions::default()).await.unwrap();
    let tops = graph.manifests().iter().filter_map(|image| image.layers().last());
    let layers: Vec<&str> = tops.map(|layer| layer.digest.hex()).collect();
    assert_ne!(layers[0], layers[1]);
    let right = format!(
        r#"{{"127.0.9.1:5000/team/app":{{"1.0":"{}","latest":"{}"}},"alone":{{"2":"{}"}}}}"#,
        layers[0], layers[1], layers[0]
    );
    read_strictly(&with_repositories(&bytes, &right)).await.unwrap();
    read_strictly(&with_repositories(&bytes, "{}")).await.unwrap();

    let stranger = Digest::of(b"a stranger").hex().to_owned();
    for (text, reason) in [
        (right.replace(layers[0], &stranger), "it names a layer that no manifest names"),
        (right.replace("alone", "Not A Name"), "it names what is no image"),
        (right.replace("\"2\"", "\"a tag?\""), "it names what is no image"),
        (right.replace(layers[0], "short"), "it names a layer that no manifest names"),
        ("[]".to_owned(), "it is no list of images that can be checked"),
        (right.replacen('{', "", 1), "it is no list of images that can be checked"),
    ] {
        let other = with_repositories(&bytes, &text);
        let error = chain(&read_strictly(&other).await.unwrap_err());
        assert!(error.contains(reason) && error.contains("\"repositories\""), "{text}: {error}");
        assert!(error.contains(&format!("at byte {}", at(&other, "repositories"))), "{error}");
        // It matters to nobody else.
        read(&[&other], Arc::new(MemoryStore::new()), "in").await.unwrap();
    }
}

#[tokio::test]
async fn an_archive_of_our_own_has_no_repositories_strictly() {
    let sample = Sample::build(&[]).await;
    let bytes = written(&sample, &options()).await;
    read_strictly(&bytes).await.unwrap();
    let error = read_strictly(&with_repositories(&bytes, "{}")).await.unwrap_err();
    let text = chain(&error);
    assert!(text.contains("no transfer list accounts for it") && text.contains("repositories"));
}

/// Where the header of an entry stands.
fn at(archive: &[u8], name: &str) -> usize {
    let mut wanted = name.as_bytes().to_vec();
    wanted.push(0);
    archive.windows(wanted.len()).rposition(|part| part == wanted).unwrap()
}
