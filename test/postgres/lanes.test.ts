/** Which connection takes the next piece of work. */
import { expect } from 'chai';
import { createLanes, type Lanes } from '../../src/postgres/lanes.ts';

interface Connection {
  readonly number: number;
}

/** Work that ends when it is told to. */
interface Piece {
  readonly name: string;
  /** Of the connection that does it; undefined while it waits. */
  on?: number;
  readonly finish: (fault?: Error) => Promise<void>;
  readonly done: Promise<unknown>;
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function makeWorld(size: number, depth = 2) {
  let time = 0;
  let opened = 0;
  const losses: (() => void)[] = [];
  const faults: Error[] = [];
  const lanes: Lanes<Connection> = createLanes<Connection>({
    size,
    depth,
    now: () => time,
    async open(lost) {
      const fault = faults.shift();
      if (fault) throw fault;
      losses.push(lost);
      opened += 1;
      return { number: opened };
    },
  });
  return {
    lanes,
    losses,
    faults,
    opened: () => opened,
    pass: (ms: number) => {
      time += ms;
    },
    async give(name: string): Promise<Piece> {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const piece: { on?: number } = {};
      const done = lanes.run(async ({ number }) => {
        piece.on = number;
        await promise;
        return name;
      });
      done.catch(() => undefined);
      await settle();
      const finish = async (fault?: Error): Promise<void> => {
        if (fault) reject(fault);
        else resolve();
        await settle();
      };
      return Object.assign(piece, { name, finish, done });
    },
  };
}

describe('postgres › lanes', () => {
  it('one after another share a connection: what was prepared on it is prepared', async () => {
    const world = makeWorld(3);
    for (let i = 0; i < 5; i++) {
      const piece = await world.give('one');
      await piece.finish();
      expect(await piece.done).equal('one');
    }
    expect(world.opened()).equal(1);
  });

  it('those at once are spread, the least busy first, and others wait in their order', async () => {
    const world = makeWorld(2);
    const pieces = [];
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) pieces.push(await world.give(name));
    expect(pieces.map(({ on }) => on)).eql([1, 2, 1, 2, undefined, undefined]);
    await pieces[1]?.finish();
    expect(pieces.map(({ on }) => on)).eql([1, 2, 1, 2, 2, undefined]);
    await pieces[0]?.finish();
    expect(pieces.map(({ on }) => on)).eql([1, 2, 1, 2, 2, 1]);
  });

  it('nothing is put behind a piece that takes long', async () => {
    const world = makeWorld(2);
    const slow = await world.give('slow');
    world.pass(21);
    const quick = [await world.give('q1'), await world.give('q2'), await world.give('q3')];
    expect([slow.on, ...quick.map(({ on }) => on)]).eql([1, 2, 2, undefined]);
    await quick[0]?.finish();
    expect(quick[2]?.on).equal(2);
    await slow.finish();
    expect((await world.give('later')).on, 'it may again').equal(1);
  });

  it('where all take long, the first that is done takes what waits', async () => {
    const world = makeWorld(2);
    const slow = [await world.give('s1'), await world.give('s2')];
    world.pass(1000);
    const piece = await world.give('waits');
    expect(piece.on).equal(undefined);
    await slow[1]?.finish();
    expect(piece.on).equal(2);
  });

  it('a piece that fails gives its place back', async () => {
    const world = makeWorld(1, 1);
    const [bad, good] = [await world.give('bad'), await world.give('good')];
    await bad.finish(new Error('no'));
    expect(await bad.done.catch((error: Error) => error.message)).equal('no');
    expect(good.on).equal(1);
  });

  it('a connection that was lost, or never opened, is replaced with the next piece', async () => {
    const world = makeWorld(1);
    const first = await world.give('first');
    await first.finish();
    world.losses[0]?.();
    expect(world.lanes.size()).equal(0);
    world.faults.push(new Error('refused'));
    const refused = await world.give('refused');
    expect(await refused.done.catch((error: Error) => error.message)).equal('refused');
    const second = await world.give('second');
    expect(second.on).equal(2);
    world.losses[0]?.();
    expect(world.lanes.size(), 'late news of the first').equal(1);
  });

  it('ends: what waits is refused, what is under way goes on, nothing new is taken', async () => {
    const world = makeWorld(1, 1);
    const [under, waits] = [await world.give('under way'), await world.give('waits')];
    const left = await world.lanes.end();
    expect(left.map(({ number }) => number)).eql([1]);
    const messages = [waits, await world.give('new')].map(({ done }) => done.catch((error: Error) => error.message));
    expect(await Promise.all(messages)).eql(Array(2).fill('Connection ended: the server is stopping'));
    await under.finish();
    expect(await under.done).equal('under way');
  });
});
