import type { Store } from '../store/store.ts';
import { transaction } from '../store/transaction.ts';

export const saveMark = transaction(
  import.meta.url,
  'saveMark',
  async (tx, { name, mark }: { readonly name: string; readonly mark: string | null }): Promise<void> => {
    await tx.run('insert into keepers (name, until, runs) values (?, 0, 0) on conflict (name) do nothing', [name]);
    await tx.run('update keepers set mark = ? where name = ?', [mark, name]);
  },
);

/** Where a keeper that goes round through everything goes on, whichever replica runs it next; `null`: from the beginning. */
export class KeeperMark {
  readonly #store: Store;
  readonly #name: string;

  constructor(store: Store, keeper: string) {
    this.#store = store;
    this.#name = keeper;
  }

  async load(): Promise<string | null> {
    const statement = 'select mark from keepers where name = ?';
    const [row] = await this.#store.read((reader) => reader.rows<{ mark: string | null }>(statement, [this.#name]));
    return row?.mark ?? null;
  }

  save(mark: string | null): Promise<void> {
    return this.#store.write(saveMark, { name: this.#name, mark });
  }
}
