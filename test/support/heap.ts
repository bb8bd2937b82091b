import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

type Collect = (options?: { readonly type: 'minor' }) => void;

let collect: Collect | undefined;

function collector(): Collect {
  if (collect === undefined) {
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as Collect;
  }
  return collect;
}

/** Bytes of the heap that are in use once what is not is collected: whatever other suites left is the same before and after. */
export function heapInUse(): number {
  collector()();
  return process.memoryUsage().heapUsed;
}

/** The same once what is young has been collected, twice, and nothing else. */
export function heapAfterYoung(): number {
  collector()({ type: 'minor' });
  collector()({ type: 'minor' });
  return process.memoryUsage().heapUsed;
}
