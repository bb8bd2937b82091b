import { expect } from 'chai';
import { createLines } from '../../src/gateways/lines.ts';

const HOUR_MS = 3_600_000;

describe('gateways › lines', () => {
  let now = 0;
  const closed: string[] = [];
  const lines = createLines<string>({ now: () => now, close: (line) => closed.push(line) });
  const take = () => closed.splice(0);

  it('one of the same key takes the place of the other, which is closed', () => {
    lines.keep('a', 'first');
    lines.keep('a', 'second');
    expect([lines.find('a'), lines.find('b'), take()]).eql(['second', undefined, ['first']]);
  });

  it('partners who are gone are forgotten: a thousand of them, and one that is used', () => {
    for (let n = 0; n < 1000; n++) {
      now += HOUR_MS / 100;
      lines.keep(`gone ${n}`, `gone ${n}`);
      expect(lines.find('a')).equal('second');
    }
    expect(take()).eql(Array.from({ length: 900 }, (_, n) => `gone ${n}`));
  });

  it('the end closes all that is left', () => {
    lines.close();
    expect(take().sort()).eql([...Array.from({ length: 100 }, (_, n) => `gone ${900 + n}`), 'second'].sort());
    expect(lines.find('a')).equal(undefined);
  });
});
