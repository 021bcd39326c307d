import threading
from io import BytesIO

import pytest
from PIL import Image

from app.store import Media, Store, StoreError


def png(width: int = 40, height: int = 20, colour: str = "red") -> bytes:
    file = BytesIO()
    Image.new("RGB", (width, height), colour).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def media(tmp_path):
    return Media(tmp_path / "data")


def files(folder):
    return [p for p in (folder / "data/media").rglob("*") if p.suffix and p.is_file()]


def test_a_file_is_kept_once_whatever_it_is_called(tmp_path, media):
    (tmp_path / "ö 1.PNG").write_bytes(png())
    one = media.attach(tmp_path / "ö 1.PNG")
    two = media.attach_bytes(png(), "Pasted")
    assert one.digest == two.digest
    assert (one.name, one.kind) == ("ö 1.PNG", "image")
    path = media.file_of(one)
    assert path == tmp_path / "data/media" / one.digest[:2] / f"{one.digest}.png"
    assert path.read_bytes() == png()
    assert files(tmp_path) == [path]


@pytest.mark.parametrize(
    ("data", "name", "kind", "suffix"),
    [
        (b"%PDF-1.7 ...", "no suffix", "document", ".pdf"),
        (b"\xff\xd8\xff\xe0....", "lies.pdf", "image", ".jpg"),
        (b"\0\0\0\x18ftypmp42....", "a", "video", ".mp4"),
        (b"\0\0\0\x18ftypqt  ....", "a.mp4", "video", ".mov"),
        (b"\0\0\0\x18ftypheic....", "a.jpg", "image", ".heic"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "a", "image", ".webp"),
        (b"\x1aE\xdf\xa3....", "a.webm", "video", ".mkv"),
        (b"whatever", "A.TS", "video", ".ts"),
    ],
)
def test_the_kind_is_in_the_first_bytes(media, data, name, kind, suffix):
    attachment = media.attach_bytes(data, name)
    assert attachment.kind == kind
    assert media.file_of(attachment).suffix == suffix


@pytest.mark.parametrize(("data", "name"), [(b"", "a.png"), (b"text", "notes.txt")])
def test_what_the_model_cannot_see_is_refused_by_name(tmp_path, media, data, name):
    with pytest.raises(StoreError, match=name):
        media.attach_bytes(data, name)
    assert files(tmp_path) == []


def test_a_missing_file_or_a_folder_is_refused(tmp_path, media):
    for path in (tmp_path / "gone.png", tmp_path):
        with pytest.raises(StoreError, match="could not be added"):
            media.attach(path)


def test_many_threads_may_add_the_same_file(tmp_path, media):
    data = png(300, 300)
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(media.attach_bytes(data, "a")))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({attachment.digest for attachment in found}) == 1
    assert len(found) == 8
    assert len(files(tmp_path)) == 1


def test_purging_removes_what_nothing_names(tmp_path):
    store = Store(tmp_path / "data")
    kept, drafted, gone = (
        store.media.attach_bytes(png(colour=c), c) for c in ("red", "green", "blue")
    )
    shown, stays = (
        store.media.previews / f"{each.digest}-1.png" for each in (gone, kept)
    )
    store.media.previews.mkdir()
    for preview in (shown, stays):
        preview.write_bytes(png())
    chat, other = store.create_conversation().id, store.create_conversation().id
    store.add_question(chat, None, "look", (kept,))
    store.set_draft(chat, "", (drafted,))
    store.add_question(other, None, "look", (gone, kept))
    store.delete(other)
    store.purge_deleted()
    assert store.media.file_of(gone).exists()
    store.purge_deleted(media_age=-1.0)
    assert store.media.file_of(kept).exists()
    assert store.media.file_of(drafted).exists()
    with pytest.raises(StoreError, match="no longer there"):
        store.media.file_of(gone)
    assert not shown.exists()
    assert stays.exists()
    store.close()
