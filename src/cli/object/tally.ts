import { ApiError } from '../../client.ts';
import { formatSize } from '../../kernel/config/size.ts';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import { OperationFailed } from '../failure.ts';
import { type Output, json } from '../output.ts';
import { printable } from './address.ts';
import { diskCode, reasonOf } from '../disk-trouble.ts';

const toldMax = 100;
/** After so many failures of the server one after the other the rest would fail as well, slowly. */
const serverFailuresMax = 8;

interface Told {
  readonly name: string;
  readonly reason: string;
}

/** What became of many objects: how many went well, and the names of those that did not, within a bound. */
export class Tally {
  #objects = 0;
  #bytes = 0;
  #failed = 0;
  #skipped = 0;
  #serverFailures = 0;
  readonly #failures: Told[] = [];
  readonly #skips: Told[] = [];
  readonly #withoutClass = new Map<string, number>();

  get hasFailures(): boolean {
    return this.#failed > 0;
  }

  done(bytes: number): void {
    this.#objects++;
    this.#bytes += bytes;
    this.#serverFailures = 0;
  }

  skip(name: string, reason: string): void {
    this.#skipped++;
    if (this.#skips.length < toldMax) this.#skips.push({ name, reason });
  }

  /** Notes an object that was carried, but not into its storage class. */
  withoutClass(name: string): void {
    this.#withoutClass.set(name, (this.#withoutClass.get(name) ?? 0) + 1);
  }

  /** Notes a failure; throws it when all that is left would fail for the same reason. */
  fail(name: string, error: unknown): void {
    if (isOfAll(error)) throw error;
    this.#failed++;
    if (this.#failures.length < toldMax) this.#failures.push({ name, reason: reasonOf(error) });
    this.#serverFailures = isOfServer(error) ? this.#serverFailures + 1 : 0;
    if (this.#serverFailures >= serverFailuresMax) throw error;
  }

  /** Tells it all; `verb` is such as `put`. Throws {@link OperationFailed} when anything failed. */
  report(output: Output, isJson: boolean, verb: string, hasBytes = true): void {
    if (isJson) {
      output.line(
        json({
          objects: this.#objects,
          bytes: this.#bytes,
          failed: this.#failed,
          failures: this.#failures,
          skipped: this.#skipped,
          skips: this.#skips,
          ...(this.#withoutClass.size === 0 ? {} : { without_storage_class: Object.fromEntries(this.#withoutClass) }),
        }),
      );
    } else {
      for (const { name, reason } of this.#skips) output.error(`left out: ${printable(name)}: ${reason}`);
      for (const { name, reason } of this.#failures) output.error(`not ${verb}: ${printable(name)}: ${reason}`);
      const untold = this.#failed - this.#failures.length;
      if (untold > 0) output.error(`… and ${untold} more`);
      for (const [name, objects] of this.#withoutClass) {
        output.line(`${count(objects)} without storage class ${printable(name)}, which the target does not know`);
      }
      output.line(`${count(this.#objects)} ${verb}${hasBytes ? `, ${formatSize(BigInt(this.#bytes))}` : ''}`);
    }
    if (this.#failed === 0) return;
    throw new OperationFailed(`${this.#failed} of ${count(this.#objects + this.#failed)} not ${verb}`);
  }
}

function count(objects: number): string {
  return `${objects} ${objects === 1 ? 'object' : 'objects'}`;
}

/** Whether the reason is not of this object: nobody answers, nothing is allowed, there is no bucket or no room here. */
function isOfAll(error: unknown): boolean {
  if (error instanceof ApiError) {
    return error.status === 401 || error.status === 403 || error.body.details?.['s3'] === 'NoSuchBucket';
  }
  if (error instanceof HoldfastError && error.details['connection'] === 'absent') return true;
  return (error as Error).name === 'AbortError' || /^(ENOSPC|EDQUOT|EROFS)$/.test(diskCode(error) ?? '');
}

function isOfServer(error: unknown): boolean {
  if (error instanceof ApiError) return error.status >= 500 || error.status === 429;
  return error instanceof HoldfastError && error.details['connection'] !== undefined;
}
