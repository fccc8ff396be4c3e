import { type Node, Visitor } from 'oxc-parser';
import { volumeTransitions } from '../src/volumes/fsm.ts';
import { type Source, lineOf, textOf } from './sources.ts';

/** What stands for a part of a type that is computed, by the template as it is written. */
const expansions: Readonly<Record<string, readonly string[]>> = {
  'volume.${transition}': volumeTransitions,
  // Other states of exports are told by a transition of the volume, or by an event of the failure.
  'volume.export_${state}': ['active', 'removed'],
  'host.${state}': ['slow', 'dead'],
};
/** The parameter that the helpers take which put a prefix before a type. */
const prefixed = '${type}';
const dotted = /^[a-z][a-z_]*(\.[a-z_]+)+$/;
const writesEvents = /\b(appendEvent|note[A-Z]\w*)\b/;
const isTold = ({ path }: Source): boolean =>
  !/\.(test|conformance)\.ts$|\/test-[^/]*\.ts$|^src\/(cli|csi)\//.test(path);

export interface ToldEvents {
  readonly types: readonly string[];
  /** Types that are computed in a way that nobody can follow, each with its place. */
  readonly unknown: readonly string[];
}

/**
 * Every type of event that the code can write. A type is a literal with a dot in it, under a prefix that some file uses which
 * writes events, unless it is the name of an operation (`kind`, `name`); or a template whose parts are known.
 */
export function toldEvents(sources: readonly Source[]): ToldEvents {
  const types = new Set<string>();
  const unknown: string[] = [];
  const prefixes = new Set<string>();
  const written = new Map<string, readonly string[]>();
  for (const source of sources.filter(isTold)) {
    const isWriter = writesEvents.test(source.text);
    const { literals, templates, suffixes } = typesIn(source);
    written.set(source.path, literals);
    if (!isWriter) continue;
    for (const literal of literals) prefixes.add(prefixOf(literal));
    for (const { text, line } of templates) {
      const known = text.endsWith(`.${prefixed}`) ? suffixes : expansions[text];
      if (known === undefined || known.length === 0) unknown.push(`${source.path}:${line}: ${text}`);
      else for (const part of known) types.add(text.replace(/\$\{.*\}/, part));
    }
  }
  for (const type of types) prefixes.add(prefixOf(type));
  for (const literal of [...written.values()].flat()) if (prefixes.has(prefixOf(literal))) types.add(literal);
  return { types: [...types].toSorted(), unknown };
}

function prefixOf(type: string): string {
  return type.slice(0, type.indexOf('.'));
}

function typesIn(source: Source) {
  const named = new Set<Node>();
  const literals: string[] = [];
  const templates: { text: string; line: number }[] = [];
  const suffixes: string[] = [];
  const typeOf = (value: Node) => {
    if (value.type === 'LogicalExpression') typeOf(value.right);
    if (value.type !== 'TemplateLiteral' || value.expressions.length === 0) return;
    templates.push({ text: source.text.slice(value.start + 1, value.end - 1), line: lineOf(source, value.start) });
  };
  new Visitor({
    // A visitor enters what holds a node before the node.
    Property: ({ key, value }) => {
      const name = key.type === 'Identifier' ? key.name : textOf(key);
      if (name === 'kind' || name === 'name') named.add(value);
      if (name === 'type') typeOf(value);
    },
    Identifier: (node) => {
      const { name, typeAnnotation } = node as { name: string; typeAnnotation?: { typeAnnotation: Node } | null };
      const union = typeAnnotation?.typeAnnotation;
      if (name !== 'type' || union?.type !== 'TSUnionType') return;
      for (const one of union.types) {
        const text = one.type === 'TSLiteralType' ? textOf(one.literal) : undefined;
        if (text !== undefined) suffixes.push(text);
      }
    },
    Literal: (node) => {
      if (typeof node.value === 'string' && dotted.test(node.value) && !named.has(node)) literals.push(node.value);
    },
  }).visit(source.program);
  return { literals, templates, suffixes };
}
