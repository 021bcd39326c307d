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


def test_a_thumbnail_fits_and_is_made_once(media):
    attachment = media.attach_bytes(png(400, 200), "a")
    path = media.thumbnail(attachment, 64)
    assert path is not None
    with Image.open(path) as image:
        assert (image.format, image.size) == ("PNG", (64, 32))
    made = path.stat().st_mtime_ns
    assert media.thumbnail(attachment, 64) == path
    assert path.stat().st_mtime_ns == made


def test_a_thumbnail_stands_upright(media):
    file = BytesIO()
    image = Image.new("RGB", (40, 20))
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(file, "JPEG", exif=exif)
    path = media.thumbnail(media.attach_bytes(file.getvalue(), "a"), 20)
    assert path is not None
    with Image.open(path) as small:
        assert small.size == (10, 20)


def test_there_is_no_thumbnail_of_what_is_no_readable_picture(media):
    for data in (b"\x89PNG\r\n\x1a\nbroken", b"%PDF-1.7"):
        assert media.thumbnail(media.attach_bytes(data, "a"), 64) is None


def test_purging_removes_what_nothing_names(tmp_path):
    store = Store(tmp_path / "data")
    kept, drafted, gone = (
        store.media.attach_bytes(png(colour=c), c) for c in ("red", "green", "blue")
    )
    small = store.media.thumbnail(gone, 64)
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
    assert small is not None
    assert not small.exists()
    store.close()
