import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { temporaryDirectory } from '../../../../../test/support/temp.ts';
import { until } from '../../../../../test/support/wait.ts';
import { isKind } from '../../conformance/suite.ts';
import { QmpConnection, type QmpEvent, type QmpOptions } from './connection.ts';
import { QmpRefusal } from './qmp-refusal.ts';
import { type Request, TestMonitor } from './test-monitor.ts';

const soon = (timeoutMs = 10_000): AbortSignal => AbortSignal.timeout(timeoutMs);

describe('a connection to a monitor', () => {
  let temporary: Awaited<ReturnType<typeof temporaryDirectory>>;
  before(async () => {
    temporary = await temporaryDirectory();
  });
  after(() => temporary[Symbol.asyncDispose]());

  const withMonitor = async (
    answer: (request: Request, monitor: TestMonitor) => unknown,
    work: (connection: QmpConnection, monitor: TestMonitor) => Promise<void>,
    options: QmpOptions = {},
  ): Promise<void> => {
    const monitor = await TestMonitor.start(temporary.path, answer);
    try {
      const connection = await QmpConnection.open(monitor.path, soon(), options);
      await work(connection, monitor);
      connection.close();
    } finally {
      await monitor.stop();
    }
  };

  test('negotiates first, and then gives each command its own answer, in whatever order they come', async () => {
    const held: Request[] = [];
    const answer = (request: Request, monitor: TestMonitor): void => {
      held.push(request);
      if (held.length < 3) return;
      for (const { id, arguments: args } of held.toReversed()) monitor.say({ return: args?.['path'], id });
    };
    await withMonitor(answer, async (connection, monitor) => {
      const ask = (path: string) => connection.execute('qom-get', { path, property: 'x' }, soon());
      assert.deepEqual(await Promise.all([ask('a'), ask('b'), ask('c')]), ['a', 'b', 'c']);
      assert.equal(monitor.requests[0]?.execute, 'qmp_capabilities');
      assert.equal(new Set(monitor.requests.map(({ id }) => id)).size, 4);
    });
  });

  test('a refusal has the words of the daemon', async () => {
    const refuse = () => ({ error: { class: 'GenericError', desc: 'Node x is in use' } });
    await withMonitor(refuse, async (connection) => {
      await assert.rejects(connection.execute('object-del', { id: 'x' }, soon()), (error) => {
        assert.ok(error instanceof QmpRefusal);
        assert.deepEqual([error.command, error.description], ['object-del', 'Node x is in use']);
        return true;
      });
    });
  });

  test('an answer that comes after its deadline is dropped, and not taken for that of the next command', async () => {
    const answer = ({ arguments: args }: Request) => (args?.['path'] === 'slow' ? undefined : { return: 'quick' });
    await withMonitor(answer, async (connection, monitor) => {
      const slow = connection.execute('qom-get', { path: 'slow', property: 'x' }, soon(50));
      await assert.rejects(slow, isKind('unavailable'));
      const lateId = monitor.requests.at(-1)?.id;
      monitor.say({ return: 'slow', id: lateId });
      assert.equal(await connection.execute('qom-get', { path: 'quick', property: 'x' }, soon()), 'quick');
      assert.equal(connection.isOpen, true);
    });
  });

  test('every command has a deadline, even when the caller names none', async () => {
    const options = { commandTimeoutMs: 50 };
    await withMonitor(
      () => undefined,
      async (connection) => {
        const never = new AbortController().signal;
        await assert.rejects(connection.execute('query-version', undefined, never), isKind('unavailable'));
      },
      options,
    );
  });

  test('does not send what has no time left', async () => {
    await withMonitor(
      () => ({ return: {} }),
      async (connection, monitor) => {
        const call = connection.execute('quit', undefined, AbortSignal.abort());
        await assert.rejects(call, isKind('unavailable'));
        await connection.execute('query-version', undefined, soon());
        assert.deepEqual(
          monitor.requests.map(({ execute }) => execute),
          ['qmp_capabilities', 'query-version'],
        );
      },
    );
  });

  test('when the connection ends, all that waits is told that the outcome is unknown', async () => {
    await withMonitor(
      (_request, monitor) => monitor.cut(),
      async (connection) => {
        await assert.rejects(connection.execute('quit', undefined, soon()), /outcome is unknown/);
        assert.equal(connection.isOpen, false);
        await assert.rejects(connection.execute('quit', undefined, soon()), /was not sent/);
      },
    );
  });

  test('a line without end is cut off at its bound', async () => {
    await withMonitor(
      (_request, monitor) => monitor.sayRaw('x'.repeat(3000)),
      async (connection) => {
        await assert.rejects(connection.execute('quit', undefined, soon()), /too long/);
        assert.equal(connection.isOpen, false);
      },
      { lineBytesMax: 2000 },
    );
  });

  test('what is no JSON ends the connection', async () => {
    await withMonitor(
      (_request, monitor) => monitor.sayRaw('{"return": \n'),
      async (connection) => assert.rejects(connection.execute('quit', undefined, soon()), /not JSON/),
    );
  });

  test('takes answers in pieces, and characters that are cut in two', async () => {
    const answer = ({ id }: Request, monitor: TestMonitor): void => {
      const bytes = Buffer.from(`${JSON.stringify({ return: 'né ☃', id })}\n`);
      for (const byte of bytes) monitor.sayRaw(Buffer.from([byte]));
    };
    await withMonitor(answer, async (connection) => {
      assert.equal(await connection.execute('qom-get', { path: '/', property: 'x' }, soon()), 'né ☃');
    });
  });

  test('an event reaches who listens when it comes, and not who begins after', async () => {
    await withMonitor(
      () => ({ return: {} }),
      async (connection, monitor) => {
        const [first, second]: [QmpEvent[], QmpEvent[]] = [[], []];
        const stop = connection.onEvent((event) => first.push(event));
        monitor.say({ event: 'BLOCK_EXPORT_DELETED', data: { id: 'one' }, timestamp: {} });
        await until('the first event', () => first.length === 1);
        stop();
        connection.onEvent((event) => second.push(event));
        monitor.say({ event: 'BLOCK_EXPORT_DELETED', data: { id: 'two' }, timestamp: {} });
        await until('the second event', () => second.length === 1);
        assert.deepEqual(
          [first, second].map(([event]) => event?.data['id']),
          ['one', 'two'],
        );
      },
    );
  });

  test('does not wait for ever for a greeting, nor for a socket that is not there', async () => {
    const silent = await TestMonitor.start(temporary.path, () => undefined, undefined);
    const mute = await TestMonitor.start(temporary.path, () => undefined, { event: 'NOTHING' });
    try {
      await assert.rejects(QmpConnection.open(mute.path, soon(50)), isKind('unavailable'));
    } finally {
      await silent.stop();
      await mute.stop();
    }
    await assert.rejects(QmpConnection.open(`${temporary.path}/none`, soon()), isKind('unavailable'));
  });
});
