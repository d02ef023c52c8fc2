/* scene.js - the arm in three dimensions: its solids, the paths of its tip, the sheet.
 * Draws a frame when something has changed, and not else: rigs are small machines. */
import * as THREE from "./vendor/three.module.min.js";
import { OrbitControls } from "./vendor/addons/controls/OrbitControls.js";
import { Line2 } from "./vendor/addons/lines/Line2.js";
import { LineGeometry } from "./vendor/addons/lines/LineGeometry.js";
import { LineMaterial } from "./vendor/addons/lines/LineMaterial.js";
import { colour, isDark } from "./colours.js";

const FRAME_ms = 30;    /* at most so often */
const SLOW_ms = 25;     /* a frame that takes longer: there is no graphics card */
const SLOW_FRAME_ms = 140;
const STILL_rad = 2e-3; /* a smaller turn, a count of an encoder, is not worth a frame */

const quaternion = ([w, x, y, z]) => new THREE.Quaternion(x, y, z, w);

/* MuJoCo's cylinders and capsules stand on z, three's on y */
const upright = (geometry) => geometry.rotateX(Math.PI / 2);

const solids = {
  box: ([x, y, z]) => new THREE.BoxGeometry(2 * x, 2 * y, 2 * z),
  sphere: ([r]) => new THREE.SphereGeometry(r, 32, 20),
  ellipsoid: (r) => new THREE.SphereGeometry(1, 32, 20).scale(...r),
  cylinder: ([r, half]) => upright(new THREE.CylinderGeometry(r, r, 2 * half, 40)),
  capsule: ([r, half]) => upright(new THREE.CapsuleGeometry(r, 2 * half, 10, 32)),
  mesh: (size, geom) => {
    const mesh = new THREE.BufferGeometry();
    mesh.setAttribute("position", new THREE.Float32BufferAttribute(geom.vertices, 3));
    mesh.setIndex(geom.faces);
    mesh.computeVertexNormals();
    return mesh;
  },
};

/* paths are seen through the arm, which is always in front of what it draws */
const onTop = { depthTest: false, transparent: true };

function fatLine(width, options = {}) {
  const line = new Line2(new LineGeometry(), new LineMaterial({ linewidth: width, ...options }));
  line.visible = false;
  line.frustumCulled = false;
  return line;
}

function setLine(line, points) {
  line.visible = points.length >= 6;
  if (!line.visible) return;
  line.geometry.dispose();
  line.geometry = new LineGeometry();
  line.geometry.setPositions(points);
  if (line.material.dashed) line.computeLineDistances();
}

export class Scene {
  #isAwaited = false;
  #lastFrame = 0;
  #frames = 0;
  #pause_ms = FRAME_ms;

  /** throws where there is no WebGL */
  constructor(canvas) {
    this.canvas = canvas;
    this.renderer = new THREE.WebGLRenderer({ canvas, antialias: true, alpha: true });
    this.renderer.shadowMap.enabled = true;
    this.renderer.shadowMap.type = THREE.PCFSoftShadowMap;
    this.scene = new THREE.Scene();
    this.camera = new THREE.PerspectiveCamera(36, 1, 0.02, 30);
    this.camera.up.set(0, 0, 1);
    this.controls = new OrbitControls(this.camera, canvas);
    this.controls.enableDamping = false;
    this.controls.maxPolarAngle = 1.75;
    this.controls.addEventListener("change", () => this.invalidate());
    this.#light();
    this.target = fatLine(3.5, { dashed: true, dashSize: 0.018, gapSize: 0.012, ...onTop });
    this.learned = fatLine(7, { opacity: 0.6, ...onTop });
    this.executed = fatLine(2.2, onTop);
    [this.target, this.learned, this.executed].forEach((line, i) => (line.renderOrder = 1 + i));
    this.stroke = fatLine(4.5);
    this.scene.add(this.target, this.learned, this.executed, this.stroke);
    new ResizeObserver(() => this.#resize()).observe(canvas.parentElement);
    this.recolour();
  }

  #light() {
    this.sky = new THREE.HemisphereLight(0xffffff, 0x8a938f, 1.7);
    this.sky.position.set(0, 0, 1);
    this.sun = new THREE.DirectionalLight(0xffffff, 2.1);
    this.sun.castShadow = true;
    this.sun.shadow.mapSize.set(1024, 1024);
    this.sun.shadow.radius = 5;
    this.scene.add(this.sky, this.sun, this.sun.target);
  }

  setArm(arm) {
    this.arm = arm;
    this.q = null;
    this.bodies = arm.bodies.map((body) => {
      const group = new THREE.Group();
      group.position.set(...body.pos);
      group.quaternion.copy(quaternion(body.quat));
      return group;
    });
    this.bodies.forEach((group, b) =>
      (b ? this.bodies[arm.bodies[b].parent] : this.scene).add(group));
    this.paint = [];
    arm.geoms.filter((g) => solids[g.type]).forEach((geom) => this.#addSolid(geom));
    const tip = new THREE.Mesh(new THREE.SphereGeometry(0.011, 24, 16), new THREE.MeshBasicMaterial());
    tip.position.set(...arm.tip.pos);
    this.bodies[arm.tip.body].add(tip);
    this.tip = tip;
    this.setPose(arm.joints.map(() => 0));
    this.scene.updateMatrixWorld();
    const tipAt = tip.getWorldPosition(new THREE.Vector3());
    this.size = Math.hypot(tipAt.x, tipAt.y, 0.5 * tipAt.z) || 1;
    this.#addFloor(arm.geoms.find((g) => g.type === "plane")?.pos[2] ?? 0);
    this.recolour();
    this.view("overview");
  }

  #addSolid(geom) {
    const material = new THREE.MeshStandardMaterial({ roughness: 0.55, metalness: 0.12 });
    const mesh = new THREE.Mesh(solids[geom.type](geom.size, geom), material);
    mesh.position.set(...geom.pos);
    mesh.quaternion.copy(quaternion(geom.quat));
    mesh.castShadow = mesh.receiveShadow = true;
    this.bodies[geom.body].add(mesh);
    this.paint.push({ material, rgba: geom.rgba });
  }

  #addFloor(z) {
    const r = 1.7 * this.size;
    const disc = new THREE.CircleGeometry(r, 72);
    this.floor = new THREE.Mesh(disc, new THREE.MeshBasicMaterial());
    this.floor.position.z = z;
    const shade = new THREE.Mesh(disc, new THREE.ShadowMaterial({ opacity: 0.16 }));
    shade.position.z = z + 0.002;
    shade.receiveShadow = true;
    this.scene.add(shade);
    this.rings = new THREE.Group();
    for (let k = 1; k <= 4; k++) {
      const ring = new THREE.Mesh(new THREE.RingGeometry(k * r / 4 - 0.0025, k * r / 4, 96), new THREE.MeshBasicMaterial());
      ring.position.z = z + 0.001;
      this.rings.add(ring);
    }
    this.scene.add(this.floor, this.rings);
    this.sun.position.set(-0.9 * r, 0.9 * r, 2.2 * r + z);
    const box = this.sun.shadow.camera;
    Object.assign(box, { left: -r, right: r, top: r, bottom: -r, near: 0.1, far: 6 * r });
    box.updateProjectionMatrix();
  }

  setPose(q) {
    if (this.q?.every((x, j) => Math.abs(x - q[j]) < STILL_rad)) return;
    this.q = q;
    this.arm?.joints.forEach((joint, j) => {
      const body = this.arm.bodies[joint.body];
      const turn = new THREE.Quaternion().setFromAxisAngle(new THREE.Vector3(...joint.axis), q[j] - joint.ref_rad);
      const rest = quaternion(body.quat), pos = new THREE.Vector3(...joint.pos);
      const group = this.bodies[joint.body];
      group.quaternion.copy(rest).multiply(turn);
      group.position.set(...body.pos)
        .add(pos.clone().applyQuaternion(rest)).sub(pos.applyQuaternion(group.quaternion));
    });
    this.invalidate();
  }

  setPaths({ target, learned, executed }) {
    setLine(this.target, target);
    setLine(this.learned, learned);
    setLine(this.executed, executed);
    this.invalidate();
  }

  /** corners: four points; stroke: [x, y, z, ...] */
  setSheet(corners, stroke, isGood) {
    if (!this.sheet && corners) {
      this.sheet = new THREE.Mesh(new THREE.BufferGeometry(), new THREE.MeshBasicMaterial(
        { transparent: true, opacity: 0.13, side: THREE.DoubleSide, depthWrite: false }));
      this.sheet.geometry.setAttribute("position", new THREE.Float32BufferAttribute(corners.flat(), 3));
      this.sheet.geometry.setIndex([0, 1, 2, 0, 2, 3]);
      this.sheetEdge = fatLine(1.5);
      setLine(this.sheetEdge, [...corners, corners[0]].flat());
      this.scene.add(this.sheet, this.sheetEdge);
      this.recolour();
    }
    setLine(this.stroke, stroke);
    this.stroke.material.color.set(colour(isGood ? "accent" : "bad"));
    this.invalidate();
  }

  recolour() {
    const paint = (thing, name) => thing?.material.color.set(colour(name));
    paint(this.target, "target");
    paint(this.learned, "accent");
    paint(this.executed, "ink");
    paint(this.floor, "floor");
    paint(this.sheet, "accent");
    paint(this.sheetEdge, "accent");
    paint(this.tip, "accent");
    this.rings?.children.forEach((ring) => paint(ring, "line"));
    this.paint?.forEach(({ material, rgba }) => {
      const isPlain = Math.max(...rgba.slice(0, 3)) - Math.min(...rgba.slice(0, 3)) < 0.08;
      if (isPlain) material.color.set(colour("robot")).multiplyScalar(0.55 + 0.6 * rgba[0]);
      else material.color.setRGB(rgba[0], rgba[1], rgba[2], THREE.SRGBColorSpace);
    });
    this.sky.intensity = isDark() ? 1.6 : 2.9;
    this.sun.intensity = isDark() ? 2.2 : 2.4;
    this.invalidate();
  }

  view(name) {
    const s = this.size ?? 1, wide = Math.max(1, 1.02 / this.camera.aspect);
    const look = new THREE.Vector3(0.36 * s, 0, 0.04 * s);
    const from = { overview: [-1.1, -1.95, 0.95], behind: [-2.1, 0.1, 0.7], side: [0, -2.4, 0.12], top: [-0.02, 0, 2.6] }[name];
    this.camera.position.set(...from).multiplyScalar(s * wide).add(look);
    this.controls.target.copy(look);
    this.controls.update();
    this.invalidate();
  }

  #resize() {
    const { clientWidth: w, clientHeight: h } = this.canvas.parentElement;
    if (!w || !h) return;
    this.renderer.setPixelRatio(this.#pause_ms > FRAME_ms ? 1 : Math.min(devicePixelRatio, 2));
    this.renderer.setSize(w, h, false);
    const isFirst = !this.wasSized;
    this.wasSized = true;
    this.camera.aspect = w / h;
    if (w > 600) this.camera.setViewOffset(w, h, -0.09 * w, 0, w, h); /* the lesson is at the left */
    else this.camera.clearViewOffset();
    this.camera.updateProjectionMatrix();
    if (isFirst && this.arm) this.view("overview");
    this.invalidate();
  }

  invalidate() {
    if (this.#isAwaited) return;
    this.#isAwaited = true;
    const wait_ms = Math.max(0, this.#pause_ms - (performance.now() - this.#lastFrame));
    setTimeout(() => requestAnimationFrame(() => {
      this.#isAwaited = false;
      this.#lastFrame = performance.now();
      this.renderer.render(this.scene, this.camera);
      if (++this.#frames === 3) this.#judgeSpeed();
    }), wait_ms);
  }

  /* a processor that has to do it all shall have time for the arm, too */
  #judgeSpeed() {
    const gl = this.renderer.getContext(), pixel = new Uint8Array(4);
    const read = () => gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, pixel);
    read();
    const begun = performance.now();
    this.renderer.render(this.scene, this.camera);
    read(); /* waits until it is drawn */
    if (performance.now() - begun < SLOW_ms) return;
    this.#pause_ms = SLOW_FRAME_ms;
    this.renderer.setPixelRatio(1);
    this.sun.castShadow = false;
  }
}
