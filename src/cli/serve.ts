import type { Config } from '../kernel/config/config.ts';
import { createLog } from '../kernel/telemetry/log.ts';
import { startServer } from '../server.ts';
import type { Output } from './output.ts';

/** Runs the server until a signal ends it; resolves when it has stopped. */
export async function serve(config: Config, output: Output): Promise<void> {
  const log = createLog({ level: config.values.logLevel });
  const beganAt = performance.now();
  const server = await startServer(config, { log });
  // Whoever reads that it is ready may end it at once.
  const ended = new Promise<NodeJS.Signals>((resolve) => {
    // A second one, such as a supervisor sends to the whole group, must not cut the stopping short; a second Ctrl-C may.
    process.on('SIGTERM', resolve);
    process.once('SIGINT', resolve);
  });
  const readyMs = Math.round(performance.now() - beganAt);
  log.info({ url: server.url, s3Url: server.s3Url, ...server.description, readyMs }, 'ready');
  if (output.isTerminal) {
    output.line(`\n  Holdfast is ready (${readyMs} ms)`);
    output.line(`  API      ${server.url}/api/v1`);
    output.line(`  S3       ${server.s3Url}`);
    output.line(`  Try it   ${server.url}/swagger/index.html`);
    output.line(`  Health   ${server.url}/healthz`);
    output.line(`  Store    ${server.description.store}`);
    output.line(`  Volumes  ${server.description.backend} backend`);
    output.line(`  Stop with Ctrl-C\n`);
  } else {
    output.line(
      `Holdfast is ready: API ${server.url}/api/v1, S3 ${server.s3Url}, documentation ${server.url}/swagger/index.html, health ${server.url}/healthz`,
    );
  }
  const signal = await ended;
  log.info({ signal }, 'stopping');
  await server.stop();
  log.info('stopped');
}
