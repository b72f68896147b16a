#define STATES 2
#define COEFFICIENTS 8
#define SUMS 6
#define KEPT 0
#define BY_CHANNEL 1
static const int granularity[] = {PER_CHANNEL, PER_CHANNEL, PER_CHANNEL, PER_STEP_CHANNEL, PER_CHANNEL, PER_CHANNEL, PER_LAYER, PER_LAYER};
static const int sum_granularity[] = {PER_CHANNEL, PER_CHANNEL, PER_CHANNEL, PER_CHANNEL, PER_STEP_CHANNEL, PER_CHANNEL};

INLINE void step_forward(
    vec x,
    const vec *state,
    const vec *coefficient,
    vec *output,
    vec *new_state) {
    const vec v_x = x;
    const vec v_u = state[0];
    const vec v_spike = state[1];
    const vec v_sigmoid_gate_reset = coefficient[0];
    const vec v_decay = coefficient[1];
    const vec v_linear = coefficient[2];
    const vec v_gain = coefficient[3];
    const vec v_subtract = coefficient[4];
    const vec v_sigmoid_threshold = coefficient[5];
    // u = decay * u * (1 - c * spike) - linear + gain * x - subtract * spike
    const vec v_u_2 = v_decay * v_u * (R(1.0) - v_sigmoid_gate_reset * v_spike) - v_linear + v_gain * v_x - v_subtract * v_spike;
    // spike = self.spike(u - torch.sigmoid(self.threshold))
    const vec v_spike_2 = truth(v_u_2 - v_sigmoid_threshold >= R(0.0));
    *output = v_spike_2;
    new_state[0] = v_u_2;
    new_state[1] = v_spike_2;
}

INLINE void step_again(
    vec x,
    const vec *state,
    const vec *coefficient,
    vec *new_state,
    vec *kept) {
    const vec v_x = x;
    const vec v_u = state[0];
    const vec v_spike = state[1];
    const vec v_sigmoid_gate_reset = coefficient[0];
    const vec v_decay = coefficient[1];
    const vec v_linear = coefficient[2];
    const vec v_gain = coefficient[3];
    const vec v_subtract = coefficient[4];
    const vec v_sigmoid_threshold = coefficient[5];
    // u = decay * u * (1 - c * spike) - linear + gain * x - subtract * spike
    const vec v_u_2 = v_decay * v_u * (R(1.0) - v_sigmoid_gate_reset * v_spike) - v_linear + v_gain * v_x - v_subtract * v_spike;
    // spike = self.spike(u - torch.sigmoid(self.threshold))
    const vec v_spike_2 = truth(v_u_2 - v_sigmoid_threshold >= R(0.0));
    new_state[0] = v_u_2;
    new_state[1] = v_spike_2;
}

INLINE void step_backward(
    vec x,
    const vec *state,
    const vec *coefficient,
    const vec *kept,
    vec grad_output,
    const vec *grad_state,
    vec *grad_x,
    vec *new_grad_state,
    vec *sum) {
    const vec v_x = x;
    const vec v_u = state[0];
    const vec v_spike = state[1];
    const vec v_sigmoid_gate_reset = coefficient[0];
    const vec v_decay = coefficient[1];
    const vec v_linear = coefficient[2];
    const vec v_gain = coefficient[3];
    const vec v_subtract = coefficient[4];
    const vec v_sigmoid_threshold = coefficient[5];
    const vec v_mul_surrogate_width = coefficient[6];
    const vec v_div_surrogate_width = coefficient[7];
    const vec v_grad_output = grad_output;
    const vec v_grad_u = grad_state[0];
    const vec v_grad_spike = grad_state[1];
    // u = decay * u * (1 - c * spike) - linear + gain * x - subtract * spike
    const vec v_1 = v_decay * v_u;
    const vec v_2 = R(1.0) - v_sigmoid_gate_reset * v_spike;
    const vec v_u_2 = v_1 * v_2 - v_linear + v_gain * v_x - v_subtract * v_spike;
    const vec v_3 = (v_grad_output + v_grad_spike) * choose(vec_abs(v_u_2 - v_sigmoid_threshold) < v_div_surrogate_width, v_mul_surrogate_width, R(0.0));
    const vec v_4 = v_grad_u + v_3;
    const vec v_5 = -v_4;
    const vec v_6 = v_4 * v_2;
    const vec v_7 = -(v_4 * v_1);
    *grad_x = v_4 * v_gain;
    new_grad_state[0] = v_6 * v_decay;
    new_grad_state[1] = v_5 * v_subtract + v_7 * v_sigmoid_gate_reset;
    sum[0] = -v_3;
    sum[1] = v_5;
    sum[2] = v_5 * v_spike;
    sum[3] = v_7 * v_spike;
    sum[4] = -(v_4 * v_x);
    sum[5] = -(v_6 * v_u);
}
