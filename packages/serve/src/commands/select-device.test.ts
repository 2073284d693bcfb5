import { describe, expect, it } from 'vitest';

import { selectDevice } from './select-device.js';

const none = () => 'No NVIDIA driver was found on this machine.';
const usable = () => undefined;

describe('selectDevice', () => {
  it('takes a GPU on its own only when one works, and says why when none does', () => {
    expect(selectDevice('auto', usable)).toEqual({ device: 'cuda:0', note: undefined });
    const { device, note } = selectDevice('auto', none);
    expect(device).toBe('cpu');
    expect(note).toContain('No NVIDIA driver');
  });

  it('never replaces a device that was named', () => {
    expect(selectDevice('cpu', usable).device).toBe('cpu');
    expect(selectDevice('cuda', usable).device).toBe('cuda:0');
    expect(selectDevice('cuda:1', usable).device).toBe('cuda:1');
    for (const name of ['cuda', 'cuda:1']) {
      expect(() => selectDevice(name, none)).toThrow(expect.objectContaining({ code: 'DEVICE_NOT_AVAILABLE' }));
    }
  });

  it('does not ask the driver when the CPU was named', () => {
    selectDevice('cpu', () => expect.fail('asked'));
  });
});
