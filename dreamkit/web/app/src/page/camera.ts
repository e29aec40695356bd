/** The camera, shown in the viewfinder until a picture is taken. */

import { UserError } from "../engine/errors";
import { element } from "./elements";

/** The side of the device that the camera looks from. */
let facing: "environment" | "user" = "environment";
let ended: () => void = () => {};

/** Throws a `UserError` where the browser has no camera, or does not allow it. */
export async function startCamera(): Promise<void> {
  const video = cameraVideo();
  try {
    if (!navigator.mediaDevices) throw new Error("browsers allow cameras only over https or on this machine");
    const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: facing } });
    for (const track of stream.getTracks()) track.addEventListener("ended", () => ended());
    endStream();
    video.srcObject = stream;
    video.onresize = fitView; // a phone was turned
    await video.play();
  } catch (error) {
    throw new UserError(`the camera cannot be used (${(error as Error).message}); allow it, or choose a photograph`);
  }
  const devices = await navigator.mediaDevices.enumerateDevices(); // all of them only now that one is allowed
  element("turn").hidden = devices.filter(({ kind }) => kind === "videoinput").length < 2;
  fitView();
  element("viewfinder").hidden = false;
}

/** Calls `action` when the camera ends by itself: it is unplugged, or no longer allowed. */
export function onCameraEnd(action: () => void): void {
  ended = action;
}

/** Switches between the cameras at the back and at the front. */
export async function turnCamera(): Promise<void> {
  facing = facing === "user" ? "environment" : "user";
  endStream(); // a phone has one camera open at a time
  await startCamera();
}

export function stopCamera(): void {
  endStream();
  element("viewfinder").hidden = true;
}

export function cameraVideo(): HTMLVideoElement {
  return element<HTMLVideoElement>("video");
}

/** Gives the viewfinder the shape of the camera's picture. */
function fitView(): void {
  const { videoWidth, videoHeight } = cameraVideo();
  if (videoHeight) element("camera-view").style.setProperty("--camera", String(videoWidth / videoHeight));
}

function endStream(): void {
  const video = cameraVideo();
  for (const track of (video.srcObject as MediaStream | null)?.getTracks() ?? []) track.stop();
  video.srcObject = null;
}
