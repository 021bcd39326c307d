"""The style sheet: what each role looks like in a palette.

Roles are values of a widget's `role` property:

- QLabel: "muted", "meta" (12 px, muted), "danger", "problem" (12 px, danger),
  "warn", "ok", "title" (20 px), "heading" (17 px), "section" (15 px), "chip" (small,
  rounded)
- QPushButton: "primary" (filled accent), "soft" (accent on soft), "quiet" (text only
  until hovered), "pill" (outlined, filled accent when checked), "send" (a filled
  circle), "choice" (opens a menu), "danger", "link"; without a role: outlined
- QToolButton: icon only, quiet
- QFrame: "card", "bubble", "composer", "sidebar", "error", "line", "banner"
- QLineEdit, QPlainTextEdit, QTextEdit: "bare" has neither border nor ground
- QListView: "sidebar"
"""

from __future__ import annotations

from .palette import (
    CARD_RADIUS,
    CODE,
    COMPOSER_RADIUS,
    HEADINGS,
    META,
    SCROLL_BAR,
    Palette,
)


def style_sheet(colors: Palette, scale: float) -> str:
    """The application's style sheet for a palette and a font scale."""

    def px(size: int) -> str:
        return f"{round(size * scale)}px"

    c = colors
    title, heading, section = HEADINGS
    # Size and colour of plain text are the application's font and palette: a rule for
    # every widget would cost a quarter of the time that a change of the look takes.
    return f"""
QMainWindow, QDialog, QScrollArea, QStackedWidget {{ background: {c.window}; }}
QScrollArea {{ border: none; }}
QToolTip {{
    background: {c.raised}; color: {c.text}; border: 1px solid {c.border};
    padding: 4px 8px; font-size: {px(META)};
}}
QLabel {{ background: transparent; }}
QLabel[role="muted"] {{ color: {c.muted}; }}
QLabel[role="meta"] {{ color: {c.muted}; font-size: {px(META)}; }}
QLabel[role="danger"] {{ color: {c.danger}; }}
QLabel[role="problem"] {{ color: {c.danger}; font-size: {px(META)}; }}
QLabel[role="warn"] {{ color: {c.warn}; }}
QLabel[role="ok"] {{ color: {c.ok}; }}
QLabel[role="title"] {{ font-size: {px(title)}; font-weight: 600; }}
QLabel[role="heading"] {{ font-size: {px(heading)}; font-weight: 600; }}
QLabel[role="section"] {{ font-size: {px(section)}; font-weight: 600; }}
QLabel[role="chip"] {{
    background: {c.soft}; color: {c.accent}; font-size: {px(META)};
    border-radius: 6px; padding: 2px 8px;
}}

QPushButton {{
    background: {c.window}; border: 1px solid {c.border};
    border-radius: {CARD_RADIUS}px; padding: 6px 14px; outline: none;
}}
QPushButton:hover {{ background: {c.raised}; border-color: {c.muted}; }}
QPushButton:pressed {{ background: {c.soft}; }}
QPushButton:focus {{ border: 2px solid {c.accent}; padding: 5px 13px; }}
QPushButton:disabled {{ color: {c.muted}; background: {c.raised}; }}
QPushButton[role="primary"] {{
    background: {c.accent}; color: {c.accent_text}; border: 1px solid {c.accent};
}}
QPushButton[role="primary"]:focus {{ border: 2px solid {c.text}; }}
QPushButton[role="primary"]:disabled {{
    background: {c.raised}; color: {c.muted}; border-color: {c.border};
}}
QPushButton[role="soft"] {{
    background: {c.soft}; color: {c.accent}; border: 1px solid {c.soft};
    font-weight: 600;
}}
QPushButton[role="soft"]:hover {{ border-color: {c.accent}; }}
QPushButton[role="soft"]:focus {{ border: 2px solid {c.accent}; }}
QPushButton[role="send"] {{
    background: {c.accent}; border: 1px solid {c.accent}; padding: 0;
    border-radius: {round(16 * scale)}px;
}}
QPushButton[role="send"]:focus {{ border: 2px solid {c.text}; }}
QPushButton[role="send"]:disabled {{
    background: {c.raised}; border-color: {c.border};
}}
QPushButton[role="choice"] {{ padding: 5px 8px; text-align: left; }}
QPushButton[role="choice"]:focus {{ padding: 4px 7px; }}
QPushButton[role="danger"] {{ color: {c.danger}; }}
QPushButton[role="quiet"], QPushButton[role="link"] {{
    background: transparent; border: 1px solid transparent; padding: 4px 8px;
}}
QPushButton[role="quiet"] {{ color: {c.text}; text-align: left; }}
QPushButton[role="link"] {{ color: {c.accent}; padding: 4px 2px; }}
QPushButton[role="link"]:hover {{ text-decoration: underline; }}
QPushButton[role="quiet"]:hover {{ background: {c.soft}; }}
QPushButton[role="quiet"]:focus, QPushButton[role="link"]:focus {{
    border: 2px solid {c.accent};
}}
QPushButton[role="pill"] {{
    background: transparent; border: 1px solid {c.border};
    border-radius: {round(15 * scale)}px; padding: 4px 12px;
    min-height: {2 * round(15 * scale) - 10}px;
}}
QPushButton[role="pill"]:checked {{
    background: {c.accent}; color: {c.accent_text}; border-color: {c.accent};
}}
QPushButton[role="pill"]:focus {{ border: 2px solid {c.accent}; padding: 3px 11px; }}
QPushButton[role="pill"]:checked:focus {{ border-color: {c.text}; }}
QToolButton {{
    background: transparent; border: 2px solid transparent;
    border-radius: {CARD_RADIUS}px; padding: 4px; outline: none;
}}
QToolButton:hover, QToolButton:checked {{ background: {c.soft}; }}
QToolButton:focus {{ border-color: {c.accent}; }}
QToolButton::menu-indicator {{ image: none; width: 0; }}

QFrame[role="card"], QFrame[role="banner"] {{
    background: {c.raised}; border: 1px solid {c.border};
    border-radius: {CARD_RADIUS}px;
}}
QFrame[role="banner"] {{ background: {c.soft}; border-color: {c.soft}; }}
QFrame[role="bubble"] {{ background: {c.soft}; border-radius: {COMPOSER_RADIUS}px; }}
QFrame[role="composer"] {{
    background: {c.raised}; border: 1px solid {c.border};
    border-radius: {COMPOSER_RADIUS}px;
}}
QFrame[role="sidebar"] {{
    background: {c.sidebar}; border: none; border-right: 1px solid {c.border};
}}
QFrame[role="error"] {{
    background: transparent; border: none; border-left: 3px solid {c.danger};
}}
QFrame[role="line"] {{ background: {c.border}; border: none; max-height: 1px; }}

QLineEdit, QPlainTextEdit, QTextEdit, QSpinBox, QDoubleSpinBox {{
    background: {c.window}; border: 1px solid {c.border};
    border-radius: {CARD_RADIUS}px; padding: 5px 8px;
    selection-background-color: {c.accent}; selection-color: {c.accent_text};
}}
QLineEdit:focus, QPlainTextEdit:focus, QTextEdit:focus, QSpinBox:focus,
QDoubleSpinBox:focus {{
    border: 2px solid {c.accent}; padding: 4px 7px;
}}
QLineEdit:disabled, QSpinBox:disabled, QDoubleSpinBox:disabled {{
    color: {c.muted}; background: {c.raised};
}}
QLineEdit[role="bare"], QPlainTextEdit[role="bare"], QTextEdit[role="bare"],
QTextBrowser {{
    background: transparent; border: none; padding: 0;
}}
QTextBrowser[role="code"], QPlainTextEdit[role="code"] {{
    font-size: {px(CODE)}; background: transparent; border: none;
}}
QMenu {{
    background: {c.raised}; border: 1px solid {c.border};
    border-radius: {CARD_RADIUS}px; padding: 4px;
}}
QMenu::item {{ padding: 6px 20px 6px 12px; border-radius: 6px; }}
QMenu::item:selected {{ background: {c.soft}; }}
QMenu::item:disabled {{ color: {c.muted}; }}
QMenu::separator {{ height: 1px; background: {c.border}; margin: 4px 8px; }}

QListView {{ background: transparent; border: none; outline: none; }}
QListView::item {{ border-radius: {CARD_RADIUS}px; padding: 6px 8px; }}
QListView::item:hover {{ background: {c.raised}; }}
QListView::item:selected {{ background: {c.soft}; color: {c.text}; }}
QListView[role="sidebar"]::item:hover {{ background: {c.border}; }}

QProgressBar {{
    background: {c.border}; border: none; border-radius: 3px; max-height: 6px;
    min-height: 6px; text-align: center;
}}
QProgressBar::chunk {{ background: {c.accent}; border-radius: 3px; }}
QAbstractSpinBox::up-button, QAbstractSpinBox::down-button {{
    width: 0; border: none;
}}
QSlider::groove:horizontal {{
    background: {c.border}; height: 4px; border-radius: 2px;
}}
QSlider::sub-page:horizontal {{ background: {c.accent}; border-radius: 2px; }}
QSlider::handle:horizontal {{
    background: {c.accent}; width: 16px; height: 16px; margin: -6px 0;
    border-radius: 8px;
}}
QSlider::handle:horizontal:focus {{ border: 2px solid {c.text}; }}
QCheckBox {{ spacing: 8px; background: transparent; }}
QCheckBox:focus {{ color: {c.accent}; }}

QScrollBar:vertical {{
    background: transparent; width: {SCROLL_BAR}px; margin: 0;
}}
QScrollBar::handle:vertical {{
    background: {c.border}; border-radius: 3px; min-height: 32px; margin: 2px;
}}
QScrollBar::handle:vertical:hover {{ background: {c.muted}; }}
QScrollBar:horizontal {{
    background: transparent; height: {SCROLL_BAR}px; margin: 0;
}}
QScrollBar::handle:horizontal {{
    background: {c.border}; border-radius: 3px; min-width: 32px; margin: 2px;
}}
QScrollBar::add-line, QScrollBar::sub-line {{ width: 0; height: 0; }}
QScrollBar::add-page, QScrollBar::sub-page {{ background: transparent; }}
QSplitter::handle {{ background: {c.border}; }}
QStatusBar {{ background: {c.window}; color: {c.muted}; }}
"""
