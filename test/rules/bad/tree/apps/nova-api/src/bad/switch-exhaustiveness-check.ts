export function count(word: 'one' | 'two'): number {
  switch (word) {
    case 'one':
      return 1;
  }
  return 2;
}
