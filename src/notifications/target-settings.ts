import Type, { type Static } from 'typebox';
import Value from 'typebox/value';
import { type SettingsKind, leftOut } from '../kernel/backups/settings.ts';
import type { Sealer } from '../kernel/secrets/sealer.ts';
import { planTarget, restoreTarget } from './changing/restore-target.ts';
import { findTargetRow } from './queries.ts';
import { openTarget, sealSecrets } from './secrets.ts';
import type { SubscriptionRow } from './tables.ts';
import { type TargetSecrets, type TargetSettings, targetResource } from './target.ts';
import { deliveriesTopic } from './topics.ts';

const text = Type.String({ maxLength: 1_000 });
const texts = Type.Array(Type.String({ maxLength: 1_200 }), { maxItems: 1_000 });
const time = Type.Integer({ minimum: 0 });
const keptTargetSchema = Type.Object({
  kind: Type.Union([Type.Literal('webhook'), Type.Literal('mqtt')]),
  state: Type.Union([Type.Literal('active'), Type.Literal('disabled')]),
  reason: Type.Union([text, Type.Null()]),
  createdAtMs: time,
  subscriptions: Type.Array(Type.Object({ name: text, types: texts, resources: texts, createdAtMs: time }), {
    maxItems: 1_000,
  }),
});

/** A target as a backup keeps it, with its subscriptions. */
export type KeptTarget = Static<typeof keptTargetSchema>;

/** How a target is reached. An address may be a secret of its own, so that all of this is kept as one. */
interface KeptReach {
  readonly settings: TargetSettings;
  readonly secrets: TargetSecrets;
}

const prefix = targetResource('');
const ofTarget = 'select * from notification_subscriptions where target = ? order by name';

/** Targets with what they are told of, for backups. What waits for them, and dead letters, are not kept. */
export function targetSettings(sealer: Sealer): SettingsKind {
  return {
    kind: 'notification-target',
    idOf: (resource) => (resource.startsWith(prefix) ? resource.slice(prefix.length) : null),
    idsAfter: async (reader, after, limit) => {
      const statement = 'select name from notification_targets where name > ? order by name limit ?';
      return (await reader.rows<{ name: string }>(statement, [after, limit])).map(({ name }) => name);
    },
    read: async (reader, id) => {
      const row = await findTargetRow(reader, id);
      if (row === null) return null;
      const { kind, state, reason, createdAtMs, settings, secrets } = openTarget(sealer, row);
      const rows = await reader.rows<SubscriptionRow>(ofTarget, [id]);
      const subscriptions = rows.map(({ name, types, resources, created_at }) => ({
        name,
        types: JSON.parse(types) as string[],
        resources: JSON.parse(resources) as string[],
        createdAtMs: created_at,
      }));
      const value: KeptTarget = { kind, state, reason, createdAtMs, subscriptions };
      return { id, value, secrets: { reach: JSON.stringify({ settings, secrets } satisfies KeptReach) } };
    },
    restore: async (store, { id, value, secrets: { reach } }, { isDryRun, nowMs }) => {
      if (!Value.Check(keptTargetSchema, value))
        return leftOut(`What the backup tells of the target ${id} is no target.`);
      if (reach === undefined) {
        return leftOut(`How the target ${id} (${value.kind}) is reached was not kept: add it anew.`);
      }
      if (isDryRun) return store.read((reader) => planTarget(reader, id, value));
      const { settings, secrets } = JSON.parse(reach) as KeptReach;
      const documents = { config: JSON.stringify(settings), secrets: sealSecrets(sealer, id, secrets) };
      const cause = { actor: 'holdfast', nowMs };
      const restored = await store.write(restoreTarget, { name: id, target: value, ...documents, ...cause });
      store.publish(deliveriesTopic, '');
      return restored;
    },
  };
}
