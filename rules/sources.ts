import { execFileSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { type Node, type Program, Visitor, parseSync } from 'oxc-parser';

/** The checkout. */
export const root = dirname(import.meta.dirname);

/** One parsed file; `path` is from the checkout, with `/`. */
export interface Source {
  readonly path: string;
  readonly text: string;
  readonly program: Program;
}

/** One import of any kind: static, dynamic, type-only, a re-export, or `require`. */
export interface Import {
  /** A path from the checkout for our own files (`src/main.ts`), otherwise the name of the package (`pg`, `node:fs`). */
  readonly target: string;
  readonly line: number;
  /** Nothing of it is left when the code runs. */
  readonly isTypeOnly: boolean;
}

/** The tracked files and the new ones that are not ignored, as paths from the checkout. */
export function repositoryFiles(): string[] {
  const args = ['ls-files', '--cached', '--others', '--exclude-standard', '-z'];
  const listed = execFileSync('git', args, { cwd: root, encoding: 'utf8', maxBuffer: 2 ** 26 });
  const isFile = (path: string) => statSync(join(root, path), { throwIfNoEntry: false })?.isFile() === true;
  return [...new Set(listed.split('\0'))].filter((path) => path !== '' && isFile(path)).toSorted();
}

/** The TypeScript files under the given folders, parsed. */
export function readSources(...folders: readonly string[]): Source[] {
  return repositoryFiles()
    .filter((path) => path.endsWith('.ts') && folders.some((folder) => path.startsWith(`${folder}/`)))
    .map((path) => parseSource(path, readFileSync(join(root, path), 'utf8')));
}

/** Parses one text as the file at `path`. Throws when it is not TypeScript. */
export function parseSource(path: string, text: string): Source {
  const { program, errors } = parseSync(path, text);
  if (errors.length > 0) throw new Error(`${path} cannot be parsed: ${errors[0]!.message}`);
  return { path, text, program };
}

/** The line of an offset; the first is 1. */
export function lineOf({ text }: Pick<Source, 'text'>, offset: number): number {
  let line = 1;
  for (let at = text.indexOf('\n'); at >= 0 && at < offset; at = text.indexOf('\n', at + 1)) line++;
  return line;
}

/** A text that is written out; `undefined` for one that is computed. */
export function textOf(node: Node): string | undefined {
  if (node.type === 'Literal') return typeof node.value === 'string' ? node.value : undefined;
  if (node.type === 'TemplateLiteral' && node.quasis.length === 1) return node.quasis[0]!.value.cooked ?? undefined;
  return undefined;
}

/** Everything that a file imports. An import whose specifier is computed cannot be seen. */
export function importsOf(source: Source): Import[] {
  const imports: Import[] = [];
  const add = (node: Node, specifier: string | undefined, isTypeOnly: boolean) => {
    if (specifier === undefined) return;
    imports.push({ target: targetOf(source.path, specifier), line: lineOf(source, node.start), isTypeOnly });
  };
  new Visitor({
    ImportDeclaration: (node) => add(node, node.source.value, node.importKind === 'type'),
    ExportAllDeclaration: (node) => add(node, node.source.value, node.exportKind === 'type'),
    ExportNamedDeclaration: (node) => add(node, node.source?.value, node.exportKind === 'type'),
    ImportExpression: (node) => add(node, textOf(node.source), false),
    TSImportType: (node) => add(node, node.source.value, true),
    CallExpression: (node) => {
      const [specifier] = node.arguments;
      if (node.callee.type !== 'Identifier' || node.callee.name !== 'require' || specifier === undefined) return;
      add(node, textOf(specifier), false);
    },
  }).visit(source.program);
  return imports;
}

function targetOf(path: string, specifier: string): string {
  return specifier.startsWith('.') ? posix.join(posix.dirname(path), specifier) : specifier;
}
