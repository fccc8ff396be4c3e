import { ApiError } from '../../client.ts';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import { standardClass } from '../../objects/storage-class.ts';
import type { Tally } from '../object/tally.ts';

/** More names than any server has: who tells of more makes them up. */
const namesMax = 100;

/**
 * Storage classes on their way. Nobody can be asked which ones a server has, so each goes along by its name until it is
 * refused once: what is in that one goes without from then on, into whatever the other side does by default, and is told of.
 */
export class CarriedClasses {
  readonly #refused = new Set<string>();

  /**
   * Carries one object, a second time when its class was refused. `attempt` asks with the object's class for the one to send.
   * Tells the tally of an object that went without; throws what the attempt throws.
   */
  async carry<T>(tally: Tally, attempt: (classToSend: (name: string) => string) => Promise<T>): Promise<T> {
    const asked = { own: standardClass, sent: standardClass };
    const once = () => {
      asked.own = asked.sent = standardClass;
      return attempt((own) => {
        asked.own = own;
        asked.sent = this.#refused.has(own) ? standardClass : own;
        return asked.sent;
      });
    };
    const done = await once().catch((error: unknown) => {
      if (asked.sent === standardClass || !isClassRefused(error) || this.#refused.size >= namesMax) throw error;
      this.#refused.add(asked.own);
      return once();
    });
    if (asked.sent !== asked.own) tally.withoutClass(asked.own);
    return done;
  }
}

/** By the code of S3, from our own server or from another; some say that they know no class at all. */
function isClassRefused(error: unknown): boolean {
  if (error instanceof ApiError) return error.body.details?.['s3'] === 'InvalidStorageClass';
  if (!(error instanceof HoldfastError)) return false;
  return error.details['code'] === 'InvalidStorageClass' || error.details['code'] === 'NotImplemented';
}
