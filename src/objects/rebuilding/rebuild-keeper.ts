import type { Keeper } from '../../kernel/keepers/keeper.ts';
import { isStoreTrouble } from '../../kernel/store/store.ts';
import { type RebuildOptions, rebuildLedger } from './rebuild.ts';
import { endRebuild, latestRebuild } from './runs.ts';

export const rebuildKeeperName = 'object-rebuild';

/** Does the rebuild that was asked for. One that a process did not end is begun anew: what is entered by then stays as it is. */
export function rebuildKeeper(options: RebuildOptions, periodMs: number): Keeper {
  const { store, clock } = options;
  return {
    name: rebuildKeeperName,
    summary: 'Rebuilds the ledger from the backends, when it was asked to.',
    periodMs,
    whyNoPlan:
      'A rebuild has a dry run of its own, "holdfast gateway rebuild --dry-run", which gathers as much as the rebuild does.',
    run: async (signal, progress) => {
      const run = await store.read(latestRebuild);
      if (run?.state !== 'running') return 'nothing was asked for';
      const { wish } = run;
      try {
        // The ledger was empty when it was asked for, if it had to be: what is in it by now came since, or from a run before.
        const report = await rebuildLedger(options, wish, signal, progress);
        await store.write(endRebuild, { id: run.id, report, error: null, nowMs: clock.nowMs() });
        return `${report.versions} versions and ${report.copies} copies ${wish.isDryRun ? 'would be ' : ''}entered`;
      } catch (error) {
        if (signal.aborted || isStoreTrouble(error)) throw error;
        const message = error instanceof Error ? error.message : String(error);
        await store.write(endRebuild, { id: run.id, report: null, error: message, nowMs: clock.nowMs() });
        throw error;
      }
    },
  };
}
