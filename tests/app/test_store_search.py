import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.store import Store

TEXTS = st.text(
    st.sampled_from("abcXYZäéßñДжλ019 \n_-'\"*(){}:^+.,!%\\/")
    | st.sampled_from("中文字"),
    max_size=40,
)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    opened = Store(tmp_path_factory.mktemp("search"))
    yield opened
    opened.close()


@pytest.fixture
def chat(store):
    return store.create_conversation().id


def marked(hit):
    return [hit.snippet[start:stop] for start, stop in hit.matches]


def test_a_word_is_found_by_its_beginning_in_title_and_text(store, chat):
    question = store.add_question(chat, None, "A Hippopotamus swims")
    title, text = store.search("hippo")
    assert (title.turn, text.turn) == (None, question.id)
    assert marked(title) == marked(text) == ["Hippopotamus"]
    assert text.conversation == chat


def test_all_words_have_to_be_there_and_accents_do_not_matter(store, chat):
    store.rename(chat, "fixed")
    question = store.add_question(chat, None, "Crème brûlée recipe")
    assert [h.turn for h in store.search("BRULEE creme")] == [question.id]
    assert store.search("brulee tiramisu") == ()


def test_a_streaming_answer_is_found_once_it_ended(store, chat):
    question = store.add_question(chat, None, "tell")
    answer = store.add_answer(chat, question.id, "demo")
    store.append(answer.id, "text", "okapi")
    store.flush()
    store.finish(answer.id, "complete")
    assert [h.turn for h in store.search("okapi")] == [answer.id]


def test_chinese_is_found_in_the_middle_of_a_sentence(store, chat):
    store.rename(chat, "fixed")
    question = store.add_question(chat, None, "这张照片里有一只长颈鹿。100%")
    (hit,) = store.search("长颈鹿")
    assert (hit.turn, marked(hit)) == (question.id, ["长颈鹿"])
    assert store.search("长%鹿") == ()


def test_a_snippet_is_short_and_holds_the_match(store, chat):
    store.rename(chat, "fixed")
    store.add_question(chat, None, "before " * 300 + "narwhal" + " after" * 300)
    (hit,) = store.search("narwhal")
    assert len(hit.snippet) < 200
    assert marked(hit) == ["narwhal"]


def test_no_more_than_the_limit_are_found(store, chat):
    for _ in range(6):
        store.add_question(chat, None, "quokka")
    assert len(store.search("quokka", 3)) == 3


@pytest.mark.parametrize(
    "query", ["", "  ", '"', "*", "a OR", "NEAR(", "title:x", "\0", "\ud800", "中%_!\\"]
)
def test_odd_queries_are_safe(store, query):
    assert isinstance(store.search(query), tuple)


@settings(deadline=None, max_examples=100)
@given(st.text())
def test_any_query_is_safe(store, query):
    store.search(query)


@settings(deadline=None, max_examples=60)
@given(TEXTS)
def test_every_word_of_every_text_is_found(store, text):
    chat = store.create_conversation().id
    store.rename(chat, "-")
    question = store.add_question(chat, None, text)
    for word in text.split():
        if any(map(str.isalnum, word)):
            assert question.id in {hit.turn for hit in store.search(word, 10_000)}
    store.delete_turn(question.id)
