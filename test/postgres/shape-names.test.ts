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

  it('500 shapes at most', () => {
    const nameOf = createShapeNames();
    const named = Array.from({ length: 600 }, (_, n) => [nameOf(`${n}`), nameOf(`${n}`)][1]).filter(Boolean);
    expect(named).length(500);
  });
});
