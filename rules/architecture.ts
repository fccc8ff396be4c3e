import { type Import, type Source, importsOf, lineOf } from './sources.ts';

const pureFiles = [
  'src/volumes/fsm.ts',
  'src/volumes/volume.ts',
  'src/kernel/operations/policy.ts',
  'src/kernel/operations/operation.ts',
  'src/kernel/config/size.ts',
  'src/kernel/config/duration.ts',
];
const inputOutput = /^(node:(?!assert|buffer|events|path|url|util)|(kysely|pg|fastify|koffi)(\/|$))/;

/** One law about imports: which files it binds, and what they must not import. */
interface Law {
  readonly text: string;
  readonly binds: (path: string) => boolean;
  readonly forbids: (target: string, path: string) => boolean;
}

const laws: readonly Law[] = [
  {
    text: 'the kernel imports nothing of src but itself',
    binds: (path) => path.startsWith('src/kernel/'),
    forbids: (target) => target.startsWith('src/') && !target.startsWith('src/kernel/'),
  },
  {
    text: 'a feature imports nothing of src but itself and the kernel',
    binds: (path) => featureOf(path) !== undefined,
    forbids: (target, path) =>
      target.startsWith('src/') && !target.startsWith('src/kernel/') && featureOf(target) !== featureOf(path),
  },
  {
    text: 'pure files import no I/O',
    binds: (path) => pureFiles.includes(path),
    forbids: (target) => inputOutput.test(target),
  },
  {
    text: 'backends know neither HTTP nor the store',
    binds: (path) => path.startsWith('src/volumes/backends/'),
    forbids: (target) => /^fastify(\/|$)|^@fastify\/|^src\/kernel\/(http|store)\//.test(target),
  },
  {
    text: 'only the store knows its engines',
    binds: (path) => path.startsWith('src/') && !path.startsWith('src/kernel/store/'),
    forbids: (target) => /^pg(\/|$)|^node:sqlite$|^src\/kernel\/store\/(sqlite|postgres)\//.test(target),
  },
  {
    text: 'what runs does not depend on what tests it',
    binds: (path) => path.startsWith('src/') && !isTest(path),
    forbids: (target) => /^(test|bench|rules)\//.test(target) || (target.startsWith('src/') && isTest(target)),
  },
  {
    text: 'only the Ceph backend and the flush of a file system call native libraries',
    binds: (path) =>
      path.startsWith('src/') &&
      !path.startsWith('src/volumes/backends/ceph/') &&
      path !== 'src/objects/backends/filesystem/file-system-flush.ts',
    forbids: (target) => /^koffi(\/|$)/.test(target),
  },
];

/** Tests, and what only tests use: suites, stages, fixtures and the programs that they start. */
function isTest(path: string): boolean {
  return /\.(test|fixture)\.ts$|\bconformance\b|\/(testkit|(test|crash)-[\w-]+)\.ts$/.test(path);
}

/** The feature to which a file belongs: every folder of src but the kernel and the command line is one. */
function featureOf(path: string): string | undefined {
  const [, feature] = /^src\/([^/]+)\//.exec(path) ?? [];
  return feature === 'kernel' || feature === 'cli' ? undefined : feature;
}

/** Pure files that are no longer there, so that a renamed one does not silently lose its law. */
export function missingPureFiles(sources: readonly Source[]): string[] {
  return pureFiles.filter((file) => !sources.some(({ path }) => path === file));
}

/** Every import that a law forbids. Type-only ones count: they are knowledge as well. */
export function forbiddenImports(sources: readonly Source[]): string[] {
  return sources.flatMap((source) => {
    const binding = laws.filter((law) => law.binds(source.path));
    return importsOf(source).flatMap(({ target, line }) => {
      const broken = binding.filter((law) => law.forbids(target, source.path));
      return broken.map((law) => `${source.path}:${line} imports ${target}: ${law.text}`);
    });
  });
}

/** What is not pure, but reached by a pure file through imports that exist at run time. */
export function impureReach(sources: readonly Source[]): string[] {
  const graph = importGraph(sources);
  return pureFiles.flatMap((start) => {
    const seen = new Set([start]);
    // A Set is walked in the order of insertion, and what is added meanwhile is walked too.
    for (const path of seen) for (const { target } of graph.get(path) ?? []) seen.add(target);
    const reached = [...seen].filter((target) => inputOutput.test(target));
    return reached.map((target) => `${start} reaches ${target}`);
  });
}

/** Each cycle of imports at run time once, from its alphabetically first file. */
export function importCycles(sources: readonly Source[]): string[] {
  const graph = importGraph(sources);
  const cycles = new Set<string>();
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): void => {
    const at = trail.indexOf(path);
    if (at >= 0) cycles.add(rotated(trail.slice(at)).join(' -> '));
    if (at >= 0 || done.has(path)) return;
    for (const { target } of graph.get(path) ?? []) visit(target, [...trail, path]);
    done.add(path);
  };
  for (const path of graph.keys()) visit(path, []);
  return [...cycles];
}

function rotated(cycle: readonly string[]): string[] {
  const first = cycle.indexOf([...cycle].sort()[0]!);
  return [...cycle.slice(first), ...cycle.slice(0, first)];
}

function importGraph(sources: readonly Source[]): Map<string, Import[]> {
  return new Map(sources.map((source) => [source.path, importsOf(source).filter(({ isTypeOnly }) => !isTypeOnly)]));
}

/** Files that only pass on what others export. */
export function barrels(sources: readonly Source[]): string[] {
  const isBarrel = ({ program }: Source) => {
    const exporting = program.body.filter(({ type }) => type !== 'ImportDeclaration');
    return (
      exporting.length > 0 &&
      exporting.every((statement) => {
        if (statement.type === 'ExportAllDeclaration') return true;
        return statement.type === 'ExportNamedDeclaration' && statement.declaration === null;
      })
    );
  };
  return sources.filter(isBarrel).map(({ path }) => path);
}

/** Variables of a module that can be assigned: state that two servers in one process would share. */
export function moduleVariables(sources: readonly Source[]): string[] {
  return sources.flatMap((source) =>
    source.program.body.flatMap((statement) => {
      const declaration = statement.type === 'ExportNamedDeclaration' ? statement.declaration : statement;
      if (declaration?.type !== 'VariableDeclaration' || !['let', 'var'].includes(declaration.kind)) return [];
      return [`${source.path}:${lineOf(source, declaration.start)}`];
    }),
  );
}
