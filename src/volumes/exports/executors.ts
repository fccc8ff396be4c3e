import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { ExportSecret } from '../export.ts';
import type { ExportKind, ExportTarget } from './target.ts';
import {
  type AddExportWork,
  type ExportsReport,
  type RemoveExportWork,
  type ReportedExport,
  type ResizeExportWork,
  toReported,
} from './work.ts';

/** What an agent gives beside the input. */
interface Context {
  readonly secret: string | null;
  readonly signal: AbortSignal;
}

/** The targets of one host. */
export type ExportTargets = Readonly<Partial<Record<ExportKind, ExportTarget>>>;

/** What an agent does with exports, by the kind of work. `onChanged` is told after each change. */
export function exportExecutors(
  targets: ExportTargets,
  onChanged: () => void,
): Readonly<Record<string, (context: Context, input: unknown) => Promise<unknown>>> {
  const changing =
    <I, O>(change: (context: Context, input: I) => Promise<O>) =>
    async (context: Context, input: unknown): Promise<O> => {
      try {
        return await change(context, input as I);
      } finally {
        onChanged();
      }
    };
  return {
    // Another limit is no other export, so this sets limits too.
    'export.add': changing((context, input: AddExportWork) => add(targets, context, input)),
    'export.remove': changing(async (context, { transport, exportId, force }: RemoveExportWork) => {
      await targetOf(targets, transport).remove(context, exportId, { force });
    }),
    'export.resize': changing(async (context, { sizeBytes, ...input }: ResizeExportWork) => {
      const { transport, exportId } = input;
      await add(targets, context, input);
      return toReported(transport, await targetOf(targets, transport).resize(context, exportId, BigInt(sizeBytes)));
    }),
    'export.list': (context) => listAll(targets, context.signal),
  };
}

async function add(targets: ExportTargets, context: Context, input: AddExportWork): Promise<ReportedExport> {
  const { transport, ...spec } = input;
  const { tls = null, ...keys } = (JSON.parse(context.secret ?? '{}') ?? {}) as Partial<ExportSecret>;
  return toReported(transport, await targetOf(targets, transport).add(context, { ...spec, tls, ...keys }));
}

function targetOf(targets: ExportTargets, transport: ExportKind): ExportTarget {
  const target = targets[transport];
  if (target !== undefined) return target;
  throw new HoldfastError('unsupported', `This host cannot export volumes over ${transport}.`, { transport });
}

/** What each target really exports now; `null` for one that cannot be asked, which is not the same as nothing. */
export async function listAll(targets: ExportTargets, signal: AbortSignal): Promise<ExportsReport> {
  const kinds = Object.keys(targets) as ExportKind[];
  const list = async (kind: ExportKind) => {
    try {
      return (await targets[kind]!.list({ signal })).map((live) => toReported(kind, live));
    } catch {
      return null;
    }
  };
  return Object.fromEntries(await Promise.all(kinds.map(async (kind) => [kind, await list(kind)] as const)));
}
