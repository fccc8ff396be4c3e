import { HoldfastError } from '../kernel/errors/errors.ts';
import type { Clock, IdSource } from '../kernel/ids.ts';
import type { Sealer } from '../kernel/secrets/sealer.ts';
import type { Store } from '../kernel/store/store.ts';
import { type DeadLetters, dropDeadLetters, requeueDeadLetters } from './changing/dead-letters.ts';
import { addSubscription, removeSubscription } from './changing/subscriptions.ts';
import { addTarget, changeTarget, removeTarget } from './changing/targets.ts';
import { testMessage } from './cloud-event.ts';
import { findTargetRow, listDeadLetters, listSubscriptions, listTargets } from './queries.ts';
import { toSubscription, toTarget } from './rows.ts';
import { openTarget, sealSecrets } from './secrets.ts';
import type { Sender, Sent } from './senders/sender.ts';
import type { Subscription } from './subscription.ts';
import type { DeliveryRow, TargetRow } from './tables.ts';
import type { OpenTarget, Target, TargetKind, TargetState } from './target.ts';
import { type TargetWish, grantWish } from './target-wish.ts';
import { deliveriesTopic } from './topics.ts';

const changeAttemptsMax = 10;

export interface NotificationServiceOptions {
  readonly store: Store;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly newId: IdSource;
  openSender(target: OpenTarget): Sender;
}

/** A target as it is after a change, and a secret that was made for it, which is told this once. */
export interface GrantedTarget {
  readonly target: Target;
  readonly secret: string | null;
}

/** What people and programs ask of notifications. */
export class NotificationService {
  readonly #options: NotificationServiceOptions;

  constructor(options: NotificationServiceOptions) {
    this.#options = options;
  }

  list(): Promise<Target[]> {
    return this.#options.store.read(listTargets);
  }

  /** Throws `not_found`. */
  async get(name: string): Promise<Target> {
    return toTarget(await this.#row(name));
  }

  async has(name: string): Promise<boolean> {
    return (await this.#options.store.read((reader) => findTargetRow(reader, name))) !== null;
  }

  /** Throws `invalid` for a wish that cannot be granted, `conflict` for a name that is taken. */
  async add(name: string, kind: TargetKind, wish: TargetWish, actor: string): Promise<GrantedTarget> {
    const { store, sealer, clock } = this.#options;
    const { settings, secrets, made } = grantWish(kind, null, wish);
    const documents = { config: JSON.stringify(settings), secrets: sealSecrets(sealer, name, secrets) };
    const row = await store.write(addTarget, { name, kind, ...documents, actor, nowMs: clock.nowMs() });
    return { target: toTarget(row), secret: made };
  }

  /** Changes what the wish names; a disabled target loses what waits for it. Throws `not_found`, `invalid`. */
  async change(
    name: string,
    wish: TargetWish & { readonly state?: TargetState | undefined },
    actor: string,
  ): Promise<GrantedTarget> {
    const { store, sealer, clock } = this.#options;
    for (let attempt = 1; attempt <= changeAttemptsMax; attempt++) {
      const current = openTarget(sealer, await this.#row(name));
      const { settings, secrets, made } = grantWish(current.kind, current, wish);
      const documents = { config: JSON.stringify(settings), secrets: sealSecrets(sealer, name, secrets) };
      const { version } = current;
      const change = { name, version, ...documents, state: wish.state ?? current.state, actor, nowMs: clock.nowMs() };
      const row = await store.write(changeTarget, change);
      if (row === null) continue;
      store.publish(deliveriesTopic, '');
      return { target: toTarget(row), secret: made };
    }
    throw new HoldfastError('conflict', `The target ${name} is being changed by somebody else; try again.`);
  }

  /** Throws `not_found`. */
  async remove(name: string, actor: string): Promise<void> {
    const { store, clock } = this.#options;
    await store.write(removeTarget, { name, actor, nowMs: clock.nowMs() });
    store.publish(deliveriesTopic, '');
  }

  /** Sends a message to a target at once, past everything that waits. Throws `not_found`. */
  async test(name: string): Promise<Sent> {
    const { sealer, newId, clock, openSender } = this.#options;
    const target = openTarget(sealer, await this.#row(name));
    const id = newId('test');
    const sender = openSender(target);
    try {
      const body = testMessage(id, name, target.settings.source, clock.nowMs());
      return await sender.send({ id, body }, AbortSignal.timeout(target.settings.timeoutMs));
    } finally {
      sender.close();
    }
  }

  subscriptions(): Promise<Subscription[]> {
    return this.#options.store.read(listSubscriptions);
  }

  /** Throws `not_found` without the target, `conflict` for a name that is taken. */
  async subscribe(wish: Omit<Subscription, 'createdAtMs'>, actor: string): Promise<Subscription> {
    const { store, clock } = this.#options;
    return toSubscription(await store.write(addSubscription, { ...wish, actor, nowMs: clock.nowMs() }));
  }

  /** Throws `not_found`. */
  async unsubscribe(name: string, actor: string): Promise<void> {
    const { store, clock } = this.#options;
    await store.write(removeSubscription, { name, actor, nowMs: clock.nowMs() });
  }

  deadLetters(page: {
    readonly target: string | undefined;
    readonly after: { readonly target: string; readonly id: number };
    readonly limit: number;
  }): Promise<DeliveryRow[]> {
    return this.#options.store.read((reader) => listDeadLetters(reader, page));
  }

  /** Tries dead letters of a target again; gives how many. Throws `not_found`. */
  async requeue(which: DeadLetters): Promise<number> {
    const { store, clock } = this.#options;
    await this.#row(which.target);
    const count = await store.write(requeueDeadLetters, { ...which, nowMs: clock.nowMs() });
    store.publish(deliveriesTopic, '');
    return count;
  }

  /** Throws dead letters of a target away; gives how many. Throws `not_found`. */
  async drop(which: DeadLetters): Promise<number> {
    await this.#row(which.target);
    return this.#options.store.write(dropDeadLetters, which);
  }

  async #row(name: string): Promise<TargetRow> {
    const row = await this.#options.store.read((reader) => findTargetRow(reader, name));
    if (row === null) throw new HoldfastError('not_found', `There is no target ${name}.`, { target: name });
    return row;
  }
}
