"""Paragraphs, lists and tables of an answer, with their formulas and links."""

from __future__ import annotations

from collections.abc import Iterator

from PySide6.QtCore import QEvent, QMimeData, Qt, QUrl, Signal
from PySide6.QtGui import (
    QCursor,
    QDesktopServices,
    QFontMetricsF,
    QImage,
    QMouseEvent,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
)
from PySide6.QtWidgets import QTextEdit, QToolTip, QWidget
from shiboken6 import isValid

from .look import Drawn, Look
from .markdown import Formula
from .markdown import Prose as ProseBlock
from .maths import on_line
from .paper import Paper
from .rich_text import INDENT, formulas, html
from .shared import Shared

_OPENED = ("http", "https", "mailto")


class Prose(Paper):
    """Shows a block of words. Formulas appear when they are drawn."""

    box_hovered = Signal(int)  # -1 for none

    def __init__(self, block: ProseBlock, shared: Shared, parent: QWidget) -> None:
        super().__init__(parent)
        self._shared = shared
        self._block = block
        self._formulas: tuple[Formula, ...] = ()
        self._pictures: dict[str, QImage] = {}
        self._sources: dict[str, str] = {}  # LaTeX, by the pictures' names
        self._shown_drawn = False
        self._over = -1
        self.document().setIndentWidth(INDENT)
        self.highlighted.connect(self._hovered)
        self.anchorClicked.connect(self._open)
        shared.formulas.drawn.connect(self._drawn)
        self.set_block(block)

    @property
    def block(self) -> ProseBlock:
        """What it shows."""
        return self._block

    def set_block(self, block: ProseBlock) -> None:
        """Show another block."""
        self._block = block
        self._formulas = formulas(block.tokens)
        self.restyle()

    def restyle(self) -> None:
        """Lay the block out in the theme's colours and sizes."""
        theme = self._shared.theme
        # All are asked for before the first is waited for.
        known = [self._shared.formulas.known(formula) for formula in self._formulas]
        self._shown_drawn = all(known)
        self._pictures = {}
        look = Look(theme.palette, theme.scale)
        self.document().setDefaultFont(theme.font())
        text = html(self._block.tokens, look, self._draw)
        self.setHtml(text)
        self._trim()
        linked = '<a href="http' in text or '<a href="mailto' in text
        flags = Qt.TextInteractionFlag.TextSelectableByMouse
        flags |= Qt.TextInteractionFlag.LinksAccessibleByMouse
        if linked:
            flags |= Qt.TextInteractionFlag.LinksAccessibleByKeyboard
        self.setTextInteractionFlags(flags)
        focus = Qt.FocusPolicy.StrongFocus if linked else Qt.FocusPolicy.ClickFocus
        self.setFocusPolicy(focus)
        self.changed()
        self.grew.emit()

    def light(self, box: int) -> None:
        """Put a ground behind the words that name a box, -1 for none."""
        selections = []
        if box >= 0:
            lit = QTextCharFormat()
            lit.setBackground(self._shared.theme.color("accent"))
            lit.setForeground(self._shared.theme.color("accent_text"))
            for cursor in self._anchors(f"box:{box}"):
                selection = QTextEdit.ExtraSelection()
                selection.cursor, selection.format = cursor, lit
                selections.append(selection)
        self.setExtraSelections(selections)

    def lit_text(self) -> str:
        """The words that are lit."""
        lit = self.extraSelections()
        return "".join(selection.cursor.selectedText() for selection in lit)

    def loadResource(self, kind: int, name: object) -> object:
        is_image = kind == QTextDocument.ResourceType.ImageResource.value
        address = name.toString() if isinstance(name, QUrl) else str(name)
        return self._pictures.get(address) if is_image else None

    def createMimeDataFromSelection(self) -> QMimeData:
        """Words with formulas as they were written; breaks that only help Qt go."""
        data = super().createMimeDataFromSelection()
        sources = self._sources_within(self.textCursor())
        text = data.text()
        for source in sources:
            text = text.replace("\ufffc", source, 1)
        # Qt's own object: the clipboard keeps it until after Python has gone.
        data.clear()
        data.setText(text.replace("\u200b", ""))
        return data

    def _sources_within(self, cursor: QTextCursor) -> list[str]:
        """LaTeX of the formulas' pictures in a selection, in order."""
        found = []
        at = QTextCursor(self.document())
        for place in range(cursor.selectionStart(), cursor.selectionEnd()):
            at.setPosition(place + 1)
            if at.charFormat().isImageFormat():
                name = at.charFormat().toImageFormat().name()
                found.append(self._sources.get(name, ""))
        return found

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        address = self.anchorAt(event.position().toPoint())
        number = address.removeprefix("box:")
        self._hover_box(int(number) if number != address else -1)

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._hover_box(-1)

    def _hover_box(self, box: int) -> None:
        if box != self._over:
            self._over = box
            self.box_hovered.emit(box)

    def _trim(self) -> None:
        """No space above the first block or below the last: the stack has its own."""
        document = self.document()
        for block, top in ((document.begin(), True), (document.lastBlock(), False)):
            shape = block.blockFormat()
            if top:
                shape.setTopMargin(0)
            else:
                shape.setBottomMargin(0)
            QTextCursor(block).setBlockFormat(shape)

    def _draw(self, formula: Formula) -> Drawn | None:
        picture = self._shared.formulas.picture(formula)
        if picture is None:
            return None
        image, width, height, centred = on_line(picture, self._x_height())
        name = f"formula:{len(self._pictures)}"
        self._pictures[name], self._sources[name] = image, formula.source
        return Drawn(name, width, height, centred)

    def _x_height(self) -> float:
        return QFontMetricsF(self._shared.theme.font()).xHeight()

    def _drawn(self, formula: Formula) -> None:
        if self._shown_drawn or formula not in self._formulas:
            return
        # Once, when the last one is there.
        if all(self._shared.formulas.known(one) for one in self._formulas):
            self._shown_drawn = True
            self._shared.slices.add(self._redraw())

    def _redraw(self) -> Iterator[None]:
        if isValid(self):
            self.restyle()
        yield

    def _hovered(self, target: QUrl) -> None:
        address = target.toString()
        if address.startswith("box:"):
            return
        self._shared.wishes.hover_link.emit(address)
        if address:
            QToolTip.showText(QCursor.pos(), address, self)
        else:
            QToolTip.hideText()

    def _open(self, target: QUrl) -> None:
        if target.scheme() in _OPENED:
            QDesktopServices.openUrl(target)

    def _anchors(self, address: str) -> list[QTextCursor]:
        found = []
        block = self.document().begin()
        while block.isValid():
            at = block.begin()
            while not at.atEnd():
                piece = at.fragment()
                if piece.charFormat().anchorHref() == address:
                    cursor = QTextCursor(self.document())
                    cursor.setPosition(piece.position())
                    end = piece.position() + piece.length()
                    cursor.setPosition(end, QTextCursor.MoveMode.KeepAnchor)
                    found.append(cursor)
                at += 1
            block = block.next()
        return found
