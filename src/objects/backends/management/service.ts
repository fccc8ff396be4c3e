import { HoldfastError } from '../../../kernel/errors/errors.ts';
import type { Clock } from '../../../kernel/ids.ts';
import type { Sealer } from '../../../kernel/secrets/sealer.ts';
import type { Store } from '../../../kernel/store/store.ts';
import type { BackendRow } from '../../tables.ts';
import type { BackendSettings, ObjectBackend, ObjectBackendKind } from '../backend.ts';
import { type GuardTimeouts, defaultGuardTimeouts } from '../guarded.ts';
import { requireKind, sealSecrets, settingsOf } from '../settings.ts';
import { type ManagedRegistry, backendsMax, backendsTopic } from '../store-registry.ts';
import type { UsageBook } from '../usage.ts';
import { addBackend } from './add.ts';
import { type BackendChanges, changeBackend } from './change.ts';
import { setBackendState } from './drain.ts';
import type { Doing } from './events.ts';
import { type BackendLimits, limitColumns } from './limits.ts';
import { isSameTexts, mergeTexts } from './merge.ts';
import { type ProbeReport, probeBackend } from './probe.ts';
import { findBackend, sampleCopies, usesOf } from './queries.ts';
import { beginPurge, planPurge, requireConfirmed, unconfirmed } from './purge.ts';
import { refuseInUse, removeBackend } from './remove.ts';
import { onTrial, requireOwnPlace, requireSamePlace, requireWorking, tryOut } from './trial.ts';

export interface BackendServiceOptions {
  readonly store: Store;
  readonly sealer: Sealer;
  readonly kinds: ReadonlyMap<string, ObjectBackendKind>;
  readonly registry: ManagedRegistry;
  readonly usage: UsageBook;
  /** The wall clock. */
  readonly clock: Clock;
  readonly timeouts?: GuardTimeouts;
  /** The same as the registry's. */
  readonly wrapBackend?: (name: string, backend: ObjectBackend) => ObjectBackend;
}

export interface NewBackend extends BackendLimits {
  readonly name: string;
  readonly kind: string;
  readonly config: Readonly<Record<string, string>>;
  readonly secrets: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly position: number | null;
  readonly isTestSkipped: boolean;
}

/** What is absent stays. */
export interface BackendChange extends BackendLimits {
  /** Only if it is this one now. */
  readonly version?: number | undefined;
  readonly config?: Readonly<Record<string, string | null>> | undefined;
  readonly secrets?: Readonly<Record<string, string | null>> | undefined;
  /** All of them anew. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly position?: number | undefined;
  readonly isTestSkipped: boolean;
  /** Also when copies are not found through the new settings. */
  readonly isForced: boolean;
}

/** The use cases of managing backends. What they change is known in this process when they resolve. */
export class BackendService {
  readonly #options: BackendServiceOptions;
  readonly #timeouts: GuardTimeouts;
  readonly #wrap: (name: string, backend: ObjectBackend) => ObjectBackend;

  constructor(options: BackendServiceOptions) {
    this.#options = options;
    this.#timeouts = options.timeouts ?? defaultGuardTimeouts;
    this.#wrap = options.wrapBackend ?? ((_name, backend) => backend);
  }

  /** Tests a backend and adds it. Throws `invalid`, `conflict` for a taken name, and what the test found. */
  async add(wanted: NewBackend, actor: string): Promise<BackendRow> {
    const { store, sealer, kinds } = this.#options;
    const { name, labels, position, isTestSkipped } = wanted;
    checkName(name);
    const kind = requireKind(kinds, wanted.kind);
    const settings = kind.validate({ config: wanted.config, secrets: wanted.secrets });
    const limits = limitColumns(wanted);
    // The insert decides; this only spares a test that would be in vain.
    if ((await store.read((reader) => findBackend(reader, name))) !== null) {
      throw new HoldfastError('conflict', `There is a backend named ${name} already.`, { field: 'name' });
    }
    if (!isTestSkipped) {
      const nowMs = this.#options.clock.nowMs();
      const consequence = 'It was not added; skip the test to add it all the same.';
      await this.#tryOut(name, kind, settings, async (backend) => {
        await requireWorking(backend, name, consequence, nowMs);
        await requireOwnPlace(backend, name, this.#othersOf(name, kind), nowMs);
      });
    }
    const row = await store.write(addBackend, {
      backend: {
        name,
        kind: kind.kind,
        config: JSON.stringify(settings.config),
        secrets: sealSecrets(sealer, name, settings.secrets),
        labels: JSON.stringify(labels),
        position,
        quota_bytes: limits.quota_bytes ?? null,
        object_bytes_max: limits.object_bytes_max ?? null,
        month_requests_max: limits.month_requests_max ?? null,
        month_ingress_bytes_max: limits.month_ingress_bytes_max ?? null,
        month_egress_bytes_max: limits.month_egress_bytes_max ?? null,
      },
      backendsMax,
      doing: this.#doing(actor),
    });
    await this.#changed(name);
    return row;
  }

  /**
   * Changes a backend. New settings are tested, and where copies stand they must be found through them. Throws `not_found`,
   * `invalid`, `conflict` for another version, `conflict` with `{reason: 'moved'}`, and what the test found.
   */
  async change(name: string, change: BackendChange, actor: string): Promise<BackendRow> {
    const { store } = this.#options;
    const row = await this.#require(name);
    if (change.version !== undefined && change.version !== row.version) {
      const message = `Backend ${name} has version ${row.version} by now; look at it and try again.`;
      throw new HoldfastError('conflict', message, { field: 'version', version: row.version });
    }
    const set: BackendChanges = {
      ...limitColumns(change),
      ...(change.labels === undefined ? {} : { labels: JSON.stringify(change.labels) }),
      ...(change.position === undefined ? {} : { position: change.position }),
      ...(await this.#newSettings(row, change)),
    };
    if (Object.keys(set).length === 0) return row;
    const changed = await store.write(changeBackend, { name, version: row.version, set, doing: this.#doing(actor) });
    await this.#changed(name);
    return changed;
  }

  /** Lets it take no new bytes, or lets it again. Throws `not_found`. */
  async setState(name: string, state: 'active' | 'draining', actor: string): Promise<BackendRow> {
    const row = await this.#options.store.write(setBackendState, { name, state, doing: this.#doing(actor) });
    await this.#changed(name);
    return row;
  }

  /** Throws `not_found`, or `conflict` with counts while anything refers to it. */
  async remove(name: string, actor: string): Promise<void> {
    const { store } = this.#options;
    const row = await this.#require(name);
    refuseInUse(name, await store.read((reader) => usesOf(reader, name)));
    // Committed before anything is counted for good, so that no claim can begin in between.
    await this.setState(name, 'draining', actor);
    try {
      await store.write(removeBackend, { name, doing: this.#doing(actor) });
    } catch (error) {
      if (row.state === 'active') await this.setState(name, 'active', actor);
      throw error;
    }
    await this.#changed(name);
  }

  /**
   * Gives a backend up that is lost for good, with all that stands there. Without the `confirmation` that an earlier call
   * gave this only tells what would be lost: it throws `conflict` with `{reason: 'unconfirmed'}` and the confirmation, which
   * holds for a minute and for just that loss. A keeper forgets the copies then. Throws `not_found`.
   */
  async purge(name: string, confirmation: string | null, actor: string): Promise<void> {
    const { store, sealer, clock } = this.#options;
    const row = await this.#require(name);
    if (row.state === 'purging') return;
    const plan = await planPurge(store, name);
    if (confirmation === null) throw unconfirmed(sealer, row, plan, clock.nowMs());
    requireConfirmed(sealer, row, plan, confirmation, clock.nowMs());
    await store.write(beginPurge, { name, version: row.version, plan, doing: this.#doing(actor) });
    await this.#changed(name);
  }

  /** Takes a blob through its life there, whatever the breaker says. Throws `not_found`. */
  async test(name: string): Promise<ProbeReport> {
    const { registry, usage, kinds, sealer, clock } = this.#options;
    const row = await this.#require(name);
    const nowMs = clock.nowMs();
    const live = registry.get(name)?.unguarded ?? null;
    const { signal } = new AbortController();
    if (live === null) {
      const settings = settingsOf(row, sealer);
      return this.#tryOut(name, requireKind(kinds, row.kind), settings, (backend) =>
        probeBackend(backend, signal, nowMs),
      );
    }
    return probeBackend(onTrial(name, live, this.#timeouts, usage.count.bind(usage, name)), signal, nowMs);
  }

  /** The columns of settings that really change, tested. */
  async #newSettings(row: BackendRow, change: BackendChange): Promise<BackendChanges> {
    if (change.config === undefined && change.secrets === undefined) return {};
    const { store, sealer, kinds, clock } = this.#options;
    const { name } = row;
    const nowMs = clock.nowMs();
    const before = this.#settingsBefore(row, change);
    const kind = requireKind(kinds, row.kind);
    const after = kind.validate({
      config: mergeTexts(before.config, change.config ?? {}),
      secrets: mergeTexts(before.secrets, change.secrets ?? {}),
    });
    const isConfigSame = isSameTexts(before.config, after.config);
    const isSecretsSame = isSameTexts(before.secrets, after.secrets);
    if (isConfigSame && isSecretsSame) return {};
    const samples = change.isForced ? [] : await store.read((reader) => sampleCopies(reader, name));
    if (!change.isTestSkipped || samples.length > 0) {
      await this.#tryOut(name, kind, after, async (backend) => {
        const consequence = 'It was not changed; skip the test to change it all the same.';
        if (!change.isTestSkipped) {
          await requireWorking(backend, name, consequence, nowMs);
          await requireOwnPlace(backend, name, this.#othersOf(name, kind), nowMs);
        }
        await requireSamePlace(backend, name, samples);
      });
    }
    return {
      ...(isConfigSame ? {} : { config: JSON.stringify(after.config) }),
      ...(isSecretsSame ? {} : { secrets: sealSecrets(sealer, name, after.secrets) }),
    };
  }

  /** Secrets that can no longer be opened do not stand in the way of new ones. */
  #settingsBefore(row: BackendRow, change: BackendChange): BackendSettings {
    try {
      return settingsOf(row, this.#options.sealer);
    } catch (error) {
      if (change.secrets === undefined) throw error;
      return settingsOf({ ...row, secrets: null }, this.#options.sealer);
    }
  }

  /** The other backends of this kind that are open here, without their breakers. */
  #othersOf(name: string, { kind }: ObjectBackendKind): { readonly name: string; readonly backend: ObjectBackend }[] {
    return this.#options.registry.all.flatMap((other) => {
      if (other.name === name || other.kind !== kind || other.unguarded === null) return [];
      return [{ name: other.name, backend: onTrial(other.name, other.unguarded, this.#timeouts) }];
    });
  }

  #tryOut<T>(
    name: string,
    kind: ObjectBackendKind,
    settings: BackendSettings,
    look: (backend: ObjectBackend) => Promise<T>,
  ): Promise<T> {
    return tryOut({ name, kind, settings, timeouts: this.#timeouts, wrap: this.#wrap }, look);
  }

  async #require(name: string): Promise<BackendRow> {
    const row = await this.#options.store.read((reader) => findBackend(reader, name));
    if (row === null) throw new HoldfastError('not_found', `There is no backend ${name.slice(0, 100)}.`);
    return row;
  }

  #doing(actor: string): Doing {
    return { actor, nowMs: this.#options.clock.nowMs() };
  }

  async #changed(name: string): Promise<void> {
    this.#options.store.publish(backendsTopic, name);
    await this.#options.registry.refresh();
  }
}

function checkName(name: string): void {
  if (/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(name)) return;
  const message =
    'A backend name has 1 to 63 lower-case letters, digits and "-", and begins and ends with none of the last.';
  throw new HoldfastError('invalid', message, { field: 'name', provided_value: name.slice(0, 100) });
}
