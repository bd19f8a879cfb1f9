/** Dates as the Dashboard writes them: "Jan 3, 2027", "3:05 PM". */

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** The day in the viewer's own time zone. A time that cannot be read is given back as it is. */
export function day(time: string): string {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return time;
  return `${months[date.getMonth()] ?? ''} ${date.getDate()}, ${date.getFullYear()}`;
}

/** Day and 12-hour time. */
export function moment(time: string): string {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return time;
  const hours = date.getHours();
  const minutes = String(date.getMinutes()).padStart(2, '0');
  return `${day(time)}, ${hours % 12 === 0 ? 12 : hours % 12}:${minutes} ${hours < 12 ? 'AM' : 'PM'}`;
}

const steps: ReadonlyArray<readonly [seconds: number, word: string]> = [
  [86_400, 'day'],
  [3_600, 'hour'],
  [60, 'minute'],
];

/** How long ago, while that says more than the day: up to a week. */
export function ago(time: string, now: Date): string {
  const seconds = (now.getTime() - new Date(time).getTime()) / 1_000;
  if (!Number.isFinite(seconds) || seconds >= 7 * 86_400) return day(time);
  for (const [length, word] of steps) {
    const count = Math.floor(seconds / length);
    if (count >= 1) return `${count} ${word}${count === 1 ? '' : 's'} ago`;
  }
  return 'just now';
}

/** How long there is until then, in whole days: "today", "in 1 day", "in 12 days". */
export function until(time: string, now: Date): string {
  const days = Math.floor((new Date(time).getTime() - now.getTime()) / 86_400_000);
  if (!Number.isFinite(days)) return time;
  if (days < 0) return 'in the past';
  return days === 0 ? 'today' : `in ${days} day${days === 1 ? '' : 's'}`;
}
