/**
 * Characters that a terminal obeys instead of showing them: the control characters (C0, DEL, C1),
 * and the characters that reverse the direction of text.
 */
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/**
 * A text that is safe on a terminal, for names, labels and messages that come from files and
 * servers: each control character is written as its escape, such as `\x1b` or `\u202e`. Tabs and
 * line ends count as control characters too.
 */
export function visibleText(text: string): string {
  return text.replace(CONTROLS, (character) => {
    const code = character.charCodeAt(0);
    const digits = code.toString(16);
    return code < 256 ? `\\x${digits.padStart(2, '0')}` : `\\u${digits.padStart(4, '0')}`;
  });
}
