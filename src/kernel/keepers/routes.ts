import { type Route, route } from '../http/server.ts';
import { keeperContract } from './contract.ts';
import type { KeeperRunner } from './runner.ts';
import { keeperView, planView } from './view.ts';

/** The API of keepers. */
export function keeperRoutes(keepers: KeeperRunner): Route[] {
  return [
    route(keeperContract.listKeepers, async () => ({ items: (await keepers.status()).map(keeperView) })),
    route(keeperContract.runKeeper, async ({ params: { name }, body: { dry_run: isDryRun = false } }) => {
      if (isDryRun) return { name, plan: planView(await keepers.plan(name)) };
      await keepers.ask(name);
      return { name, plan: null };
    }),
    route(keeperContract.pauseKeeper, async ({ params: { name }, wish }) => {
      await keepers.pause(name, wish.actor);
      return { name };
    }),
    route(keeperContract.resumeKeeper, async ({ params: { name } }) => {
      await keepers.resume(name);
      return { name };
    }),
  ];
}
