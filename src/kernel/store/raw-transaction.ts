import pg from 'pg';

/** A transaction of somebody else on the same PostgreSQL database, whose every moment the test decides. */
export interface RawTransaction {
  run(statement: string): Promise<void>;
  end(how: 'commit' | 'rollback'): Promise<void>;
}

/** Begins a transaction with its first statement. */
export async function openTransaction(url: string, statement: string): Promise<RawTransaction> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  await client.query('begin');
  await client.query(statement);
  return {
    run: async (next) => void (await client.query(next)),
    end: async (how) => {
      await client.query(how);
      await client.end();
    },
  };
}
