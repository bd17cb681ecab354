const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text as HTML. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}

/** HTML or SVG that needs no more escaping: what `element` returns. */
export interface Markup {
  readonly html: string;
}

/** What an element can hold: text, which is escaped, elements, lists of these, or nothing. */
export type Child = string | Markup | undefined | readonly Child[];

/** Elements without content, written as `<x/>` in SVG. */
const EMPTY = new Set(['circle', 'image', 'line', 'path', 'rect', 'stop']);

/** Children one after the other, as HTML. */
function htmlOf(child: Child): string {
  if (child === undefined) return '';
  if (typeof child === 'string') return escapeHtml(child);
  return 'html' in child ? child.html : child.map(htmlOf).join('');
}

/**
 * An element. Attributes and text are escaped; an attribute that is undefined is left out.
 */
export function element(
  name: string,
  attributes: Readonly<Record<string, string | number | undefined>>,
  ...children: readonly Child[]
): Markup {
  const given = Object.entries(attributes).filter(([, value]) => value !== undefined);
  const list = given.map(([key, value]) => ` ${key}="${escapeHtml(String(value))}"`).join('');
  if (name === 'img') return { html: `<img${list}>` };
  if (EMPTY.has(name)) return { html: `<${name}${list}/>` };
  return { html: `<${name}${list}>${htmlOf(children)}</${name}>` };
}
