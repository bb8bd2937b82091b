import { expect } from 'chai';
import { every } from '../src/every.ts';

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe('every', () => {
  it('never works twice at once, and its end waits for the turn under way', async () => {
    let running = 0;
    let most = 0;
    let done = 0;
    const stop = every(
      1,
      async () => {
        running += 1;
        most = Math.max(most, running);
        await pause(20);
        running -= 1;
        done += 1;
      },
      () => {},
    );
    await pause(30);
    await stop();
    expect(running).equal(0);
    expect(most).equal(1);
    const before = done;
    expect(before).greaterThan(0);
    await pause(30);
    expect(done).equal(before);
  });

  it('tells of a failure, and goes on', async () => {
    const failures: unknown[] = [];
    const stop = every(
      1,
      async () => {
        throw new Error('no');
      },
      (error) => failures.push(String(error)),
    );
    while (failures.length < 2) await pause(1);
    await stop();
    expect(failures[0]).equal('Error: no');
  });
});
