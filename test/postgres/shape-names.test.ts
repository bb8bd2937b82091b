import { expect } from 'chai';
import { createShapeNames } from '../../src/postgres/search/search.ts';

describe('names of statements', () => {
  it('a shape is named at its second sight, and keeps its name', () => {
    const nameOf = createShapeNames();
    expect(nameOf('select 1')).equal(undefined);
    const name = nameOf('select 1');
    expect(name).match(/^s:[\w-]{22}$/);
    expect(nameOf('select 1')).equal(name);
    expect([nameOf('select 2'), nameOf('select 2')][1]).not.equal(name);
  });

  it('what comes once, however much of it, takes no place from what comes often', () => {
    const nameOf = createShapeNames();
    for (let n = 0; n < 5000; n++) expect(nameOf(`select ${n}`)).equal(undefined);
    nameOf('often');
    expect(nameOf('often')).not.equal(undefined);
  });

  const times = (nameOf: (text: string) => string | undefined, count: number, text: string): string | undefined =>
    Array.from({ length: count }, () => nameOf(text)).at(-1);

  it('searches over all types, twice each, leave half of the places to what comes often', () => {
    const nameOf = createShapeNames();
    const named = Array.from({ length: 900 }, (_, n) => times(nameOf, 2, `${n}`)).filter(Boolean);
    expect(named).length(250);
    expect(times(nameOf, 19, 'often')).equal(undefined);
    expect(times(nameOf, 1, 'often')).not.equal(undefined);
  });

  it('500 shapes at most', () => {
    const nameOf = createShapeNames();
    const named = Array.from({ length: 600 }, (_, n) => times(nameOf, 20, `${n}`)).filter(Boolean);
    expect(named).length(500);
  });
});
