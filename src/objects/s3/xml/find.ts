import { objectError } from '../../errors.ts';
import type { XmlElement } from '../command.ts';

/** Reading elements as a schema would: what is unknown, missing or doubled is `MalformedXML`. */

export function malformed(reason: string): Error {
  return objectError('MalformedXML', { reason });
}

/** The element itself, once it has the name that the command wants, no children but these, and no text of its own. */
export function expectElement(element: XmlElement, name: string, children: readonly string[]): XmlElement {
  if (element.name !== name) throw malformed(`${element.name.slice(0, 100)} is where ${name} was expected.`);
  for (const child of element.children ?? []) {
    if (!children.includes(child.name)) throw malformed(`${name} has no ${child.name.slice(0, 100)}.`);
  }
  if (element.text !== undefined && element.text.trim() !== '') throw malformed(`${name} has no text of its own.`);
  return element;
}

/** All children of a name, in order. */
export function childrenOf(element: XmlElement, name: string): readonly XmlElement[] {
  return element.children?.filter((child) => child.name === name) ?? [];
}

/** The one child of a name, if there is any. */
export function childOf(element: XmlElement, name: string): XmlElement | undefined {
  const [child, ...others] = childrenOf(element, name);
  if (others.length > 0) throw malformed(`There is more than one ${name}.`);
  return child;
}

/** The text of an element that has no children. */
export function textOf(element: XmlElement): string {
  if (element.children?.length) throw malformed(`${element.name.slice(0, 100)} must be text.`);
  return element.text ?? '';
}

/** The text of the one child of a name, if there is any. */
export function textIn(element: XmlElement, name: string): string | undefined {
  const child = childOf(element, name);
  return child === undefined ? undefined : textOf(child);
}

/** The texts of all children of a name, in order. */
export function textsIn(element: XmlElement, name: string): readonly string[] {
  return childrenOf(element, name).map(textOf);
}

/** The text of a child that must be there. */
export function requiredText(element: XmlElement, name: string): string {
  const text = textIn(element, name);
  if (text === undefined) throw malformed(`${element.name} needs a ${name}.`);
  return text;
}

/** The text of a child that must be one of a few words, if it is there. */
export function wordIn<Word extends string>(
  element: XmlElement,
  name: string,
  words: readonly Word[],
): Word | undefined {
  const text = textIn(element, name);
  if (text === undefined) return undefined;
  const word = words.find((one) => one === text);
  if (word === undefined) throw malformed(`${name} is ${words.join(' or ')}.`);
  return word;
}

/** The integer in a child, if it is there. Its range is the caller's affair. */
export function integerIn(element: XmlElement, name: string): number | undefined {
  const text = textIn(element, name)?.trim();
  if (text === undefined) return undefined;
  if (!/^-?\d{1,15}$/.test(text)) throw malformed(`${name} is an integer.`);
  return Number(text);
}
