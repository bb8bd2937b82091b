/** A load generator in a thread of its own: `runLoad` of GETs for paths in turn; posts the sample. */
import { parentPort, workerData } from 'node:worker_threads';
import { get, runLoad } from './load.ts';

export interface LoadOrder {
  readonly port: number;
  readonly connections: number;
  readonly durationMs: number;
  readonly paths: readonly string[];
}

const { port, connections, durationMs, paths } = workerData as LoadOrder; // what bench/access.ts gives
const requests = paths.map((path) => get({ port }, path));
let next = 0;
const sample = await runLoad({
  port,
  connections,
  durationMs,
  next: () => requests[next++ % requests.length] as Buffer, // never empty
});
parentPort?.postMessage(sample);
