import type { Subscription } from './subscription.ts';
import type { SubscriptionRow, TargetRow } from './tables.ts';
import type { Target, TargetKind, TargetSettings, TargetState } from './target.ts';

export function toTarget(row: TargetRow): Target {
  return {
    name: row.name,
    kind: row.kind as TargetKind,
    settings: JSON.parse(row.config) as TargetSettings,
    state: row.state as TargetState,
    reason: row.reason,
    waiting: row.waiting,
    dead: row.dead,
    dropped: row.dropped,
    version: row.version,
    createdAtMs: row.created_at,
    updatedAtMs: row.updated_at,
  };
}

export function toSubscription(row: SubscriptionRow): Subscription {
  return {
    name: row.name,
    target: row.target,
    types: JSON.parse(row.types) as string[],
    resources: JSON.parse(row.resources) as string[],
    createdAtMs: row.created_at,
  };
}
