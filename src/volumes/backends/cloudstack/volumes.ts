import { HoldfastError } from '../../../kernel/errors/errors.ts';
import type { ImageFacts } from '../backend.ts';
import { byteOrder } from '../image-rules.ts';
import { isUnknownEntity } from './api-error.ts';
import type { CloudStackClient } from './client.ts';
import { integerIn, objectsIn } from './json.ts';
import { holderOf, isInTrash, isThere, toFacts } from './naming.ts';
import { type VolumeRow, toRow } from './row.ts';
import type { Parameters } from './signing.ts';
import { KEY } from './tags.ts';

/** CloudStack's own maximum (`default.page.size`). */
const pageSize = 500;
const pagesMax = 200;
const listAttemptsMax = 5;
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Volumes as CloudStack has them now: those of one zone, and ours wherever they are. */
export class Volumes {
  readonly #client: CloudStackClient;
  readonly #zoneId: string;

  constructor(client: CloudStackClient, zoneId: string) {
    this.#client = client;
    this.#zoneId = zoneId;
  }

  /** The volume that is known by this image name, which may be its id; `null` when there is none. */
  async find(image: string, signal: AbortSignal): Promise<VolumeRow | null> {
    const named = await this.named(image, signal);
    const holder = this.#holderOf(named);
    if (holder !== null || !uuid.test(image)) return holder;
    const row = await this.byId(image, signal);
    return row !== null && isThere(row) ? row : null;
  }

  /** Every volume of exactly this name, whatever its state. */
  async named(name: string, signal: AbortSignal): Promise<readonly VolumeRow[]> {
    const rows = await this.#pages({ name }, signal);
    // MySQL compares without regard to case.
    return rows.filter((row) => row.name === name);
  }

  async byId(id: string, signal: AbortSignal): Promise<VolumeRow | null> {
    try {
      const answer = await this.#client.call('listVolumes', { id }, signal);
      const [first] = objectsIn(answer, 'volume');
      return first === undefined ? null : toRow(first);
    } catch (error) {
      if (isUnknownEntity(error)) return null;
      throw error;
    }
  }

  /** Live images in byte order of their names. Root disks of VMs are none, unless Holdfast attached its own as one. */
  async list(after: string | undefined, limit: number, signal: AbortSignal): Promise<readonly ImageFacts[]> {
    const rows = (await this.#pages({}, signal)).filter(
      (row) => isThere(row) && (isOurs(row) || (row.type !== 'ROOT' && this.#isAtHome(row))),
    );
    const byName = Map.groupBy(rows, (row) => row.name);
    const facts = rows.map((row) => {
      const isHolder = this.#holderOf(byName.get(row.name)!) === row;
      return { image: isHolder ? row.name : row.id, row };
    });
    return facts
      .filter(({ image, row }) => !isInTrash(row) && (after === undefined || byteOrder(image, after) > 0))
      .sort((a, b) => byteOrder(a.image, b.image))
      .slice(0, limit)
      .map(({ image, row }) => toFacts(image, row));
  }

  /** Which of several volumes has their name: one of this zone goes before those of others. */
  #holderOf(namesakes: readonly VolumeRow[]): VolumeRow | null {
    return holderOf(namesakes.filter((row) => this.#isAtHome(row))) ?? holderOf(namesakes);
  }

  /** Whether it is in the zone of the settings. A server that tells no zone has but one. */
  #isAtHome({ zoneId }: VolumeRow): boolean {
    return zoneId === null || zoneId === this.#zoneId;
  }

  /**
   * Every page of a list. The newest volume comes first, so one that is made meanwhile moves others to the next page,
   * where they are seen again, and one that is removed moves others to the page before, where they would be missed: when
   * the count has changed, the list is read again.
   */
  async #pages(parameters: Parameters, signal: AbortSignal): Promise<readonly VolumeRow[]> {
    for (let attempt = 1; ; attempt++) {
      const rows = new Map<string, VolumeRow>();
      const counts = new Set<number>();
      for (let page = 1; ; page++) {
        if (page > pagesMax) throw tooMany();
        const paging = { page: String(page), pagesize: String(pageSize) };
        const answer = await this.#client.call('listVolumes', { ...parameters, ...paging }, signal);
        const listed = objectsIn(answer, 'volume').map(toRow);
        for (const row of listed) rows.set(row.id, row);
        if (listed.length > 0) counts.add(integerIn(answer, 'count') ?? 0);
        if (listed.length < pageSize) break;
      }
      if (counts.size <= 1 || attempt === listAttemptsMax) return [...rows.values()];
    }
  }
}

function isOurs(row: VolumeRow): boolean {
  return row.tags.has(KEY.volumeId);
}

function tooMany(): HoldfastError {
  return new HoldfastError(
    'unsupported',
    `The account has more than ${pageSize * pagesMax} volumes, too many to list.`,
  );
}
